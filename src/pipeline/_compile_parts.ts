/** The graphs of all parts, or one error for everything in all of them that does not fit. */
import { compileVae } from "../models/autoencoder.ts";
import type { DecoderGraphs } from "../models/decoder_graphs.ts";
import { compileGemma3, type Gemma3Graphs } from "../models/gemma3.ts";
import { compileJinaClip, type JinaClipGraph } from "../models/jina_clip.ts";
import { compileNextDiT, type NextDiTGraphs } from "../models/next_dit.ts";
import { CheckpointError, type DtypePolicy } from "../onnx/mod.ts";
import type { Weights } from "../safetensors/mod.ts";
import type { StatedParts } from "./_fit.ts";

/** The graphs of a checkpoint. */
export interface PartGraphs {
  readonly transformer: NextDiTGraphs;
  readonly textEncoder: Gemma3Graphs;
  /** Absent in a model without CLIP conditioning. */
  readonly clipModel?: JinaClipGraph;
  readonly vae: DecoderGraphs;
}

/** Configurations with their weights. */
export type WeightedParts = {
  readonly [P in keyof StatedParts]: StatedParts[P] & { readonly weights: Weights };
};

/**
 * Compiles the parts of a checkpoint.
 *
 * @param segments How many graphs to cut the transformer's step and the text encoder into.
 * @throws {CheckpointError} Naming every tensor of every part that does not fit.
 */
export function compileParts(
  { transformer, textEncoder, clipModel, vae }: WeightedParts,
  policy: DtypePolicy,
  segments: number,
): PartGraphs {
  const problems: CheckpointError["problems"][number][] = [];
  const compile = <G>(build: () => G): G | undefined => {
    try {
      return build();
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  };
  const graphs = {
    transformer: compile(() =>
      compileNextDiT(transformer.config, transformer.weights, policy, segments)
    ),
    textEncoder: compile(() =>
      compileGemma3(textEncoder.config, textEncoder.weights, policy, segments)
    ),
    clipModel: clipModel &&
      compile(() => compileJinaClip(clipModel.config, clipModel.weights, policy)),
    vae: compile(() => compileVae(vae.config, vae.weights, policy)),
  };
  if (problems.length > 0) throw new CheckpointError(problems);
  return graphs as PartGraphs;
}
