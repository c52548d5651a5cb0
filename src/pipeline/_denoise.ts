/** From noise to latents: every picture of a call, one after the other. */
import type { Scheduler, Velocity } from "../schedulers/mod.ts";
import { type Tensor, tensor } from "../tensor.ts";
import { sampleOf } from "./_batches.ts";
import { conditioningsOf, type Guidance, guidedVelocity } from "./_guided_velocity.ts";
import type { Transformer } from "./parts/transformer.ts";
import type { PromptEmbeds, StepInfo } from "./types.ts";

/** What is drawn. */
export interface DenoiseOptions {
  readonly embeds: PromptEmbeds;
  /** [pictures, C, H, W]; `imagesPerPrompt` for each prompt in turn. */
  readonly noise: Tensor;
  readonly imagesPerPrompt: number;
  readonly scheduler: Scheduler;
  readonly steps: number;
  readonly guidance: Guidance;
  /** Whether any step asks for the negative prompt. */
  readonly guided: boolean;
  readonly onStep?: ((step: StepInfo) => void | Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What came of it. */
export interface Denoised {
  /** Latents [1, C, H, W], one for each picture. */
  readonly samples: readonly Tensor[];
  /** How often the transformer was asked for a velocity. */
  readonly evaluations: number;
}

/** Samples each picture of a batch. */
export async function denoise(
  transformer: Transformer,
  options: DenoiseOptions,
): Promise<Denoised> {
  const { embeds, noise, imagesPerPrompt, scheduler, steps, guidance, guided, signal } = options;
  const imageCount = noise.dims[0]!;
  const samples: Tensor[] = [];
  let evaluations = 0;
  for (let prompt = 0; prompt * imagesPerPrompt < imageCount; prompt++) {
    const conditionings = await conditioningsOf(transformer, embeds, prompt, guided);
    for (let image = 0; image < imagesPerPrompt; image++) {
      const imageIndex = samples.length;
      const { data, dims } = sampleOf("latents", noise, imageIndex, imageCount);
      const predict = guidedVelocity(transformer, conditionings, dims, guidance);
      const velocity: Velocity = (latents, timestep) => {
        evaluations++;
        return predict(latents, timestep);
      };
      const onStep: Parameters<Scheduler["sample"]>[3] = ({ latents, ...step }) =>
        options.onStep?.({ ...step, latents: tensor(latents, dims), imageIndex, imageCount });
      const sample = await scheduler.sample(data, steps, velocity, onStep, signal);
      samples.push(tensor(sample, dims));
    }
  }
  return { samples, evaluations };
}
