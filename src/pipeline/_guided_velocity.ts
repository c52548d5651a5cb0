/** Classifier-free guidance: two conditionings, one velocity. */
import type { RunOptions } from "../runtime/session.ts";
import { combineGuidance, needsUnconditional } from "../schedulers/mod.ts";
import { type Tensor, tensor } from "../tensor.ts";
import { sampleOf, unpadded } from "./_batches.ts";
import type { Conditioning, Transformer } from "./parts/transformer.ts";
import type { PromptEmbeds } from "./types.ts";

/** The settings of guidance: its scale, until which time it works, and its largest norm. */
export type Guidance = Parameters<typeof combineGuidance>[2];

/** What one prompt and its negative prompt ask for. */
export interface Conditionings {
  readonly conditional: Conditioning;
  /** Absent where no step is guided. */
  readonly unconditional?: Conditioning;
}

/** Conditions the transformer on one prompt of a batch, and on its negative prompt if guided. */
export async function conditioningsOf(
  transformer: Transformer,
  embeds: PromptEmbeds,
  index: number,
  guided: boolean,
): Promise<Conditionings> {
  const batch = embeds.promptEmbeds.dims[0]!;
  const condition = (features: Tensor, mask: Tensor, pooled: Tensor) =>
    transformer.condition(
      unpadded(sampleOf("", features, index, batch), sampleOf("", mask, index, batch)),
      sampleOf("", pooled, index, batch),
    );
  const conditional = await condition(
    embeds.promptEmbeds,
    embeds.promptAttentionMask,
    embeds.pooledPromptEmbeds,
  );
  if (!guided) return { conditional };
  const unconditional = await condition(
    embeds.negativePromptEmbeds,
    embeds.negativePromptAttentionMask,
    embeds.negativePooledPromptEmbeds,
  );
  return { conditional, unconditional };
}

/** {@linkcode Velocity}, and how the transformer is to run for it. */
export type GuidedVelocity = (
  latents: Float32Array,
  timestep: number,
  options?: RunOptions,
) => Promise<Float32Array>;

/** The guided velocity: towards the prompt, away from the negative prompt. */
export function guidedVelocity(
  transformer: Transformer,
  { conditional, unconditional }: Conditionings,
  dims: readonly number[],
  guidance: Guidance,
): GuidedVelocity {
  return async (latents, timestep, options) => {
    const x = tensor(latents, dims);
    const isGuided = unconditional !== undefined && needsUnconditional(timestep, guidance);
    const asked = isGuided ? [conditional, unconditional] : [conditional];
    const [wanted, unwanted] = await transformer.predict(x, timestep, asked, options);
    return unwanted === undefined
      ? wanted!.data
      : combineGuidance(wanted!.data, unwanted.data, guidance);
  };
}
