/** The graphs of all parts, or one error for everything in all of them that does not fit. */
import { type ModelFamily, type PartName, PARTS } from "../families/mod.ts";
import type { DecoderGraphs, Gemma3Graphs, JinaClipGraph, NextDiTGraphs } from "../models/mod.ts";
import { CheckpointError, type DtypePolicy, type WeightProblem } from "../onnx/mod.ts";
import type { Weights } from "../safetensors/mod.ts";
import type { ConfigOf } from "./checkpoint/fit.ts";

/** The graphs of a checkpoint. */
export interface PartGraphs {
  readonly transformer: NextDiTGraphs;
  readonly textEncoder: Gemma3Graphs;
  /** Absent in a model without CLIP conditioning. */
  readonly clipModel?: JinaClipGraph;
  readonly vae: DecoderGraphs;
}

/** A configuration with its weights. */
interface Weighted<Config> {
  readonly config: Config;
  readonly weights: Weights;
}

/** Configurations with their weights. */
export interface WeightedParts {
  readonly transformer: Weighted<ConfigOf["transformer"]>;
  readonly textEncoder: Weighted<ConfigOf["textEncoder"]>;
  readonly clipModel?: Weighted<ConfigOf["clipModel"]>;
  readonly vae: Weighted<ConfigOf["vae"]>;
}

/**
 * Compiles the parts of a checkpoint.
 *
 * @param segments How many graphs to cut the transformer's step and the text encoder into.
 * @throws {CheckpointError} Naming every tensor of every part that does not fit.
 */
export function compileParts(
  { networks }: ModelFamily,
  { transformer, textEncoder, clipModel, vae }: WeightedParts,
  policy: DtypePolicy,
  segments: number,
): PartGraphs {
  const problems: WeightProblem[] = [];
  const compile = <G>(name: PartName, build: () => G): G | undefined => {
    try {
      return build();
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      problems.push(...error.problems.map((problem) => ({ ...problem, part: PARTS[name] })));
      return undefined;
    }
  };
  const graphs = {
    transformer: compile(
      "transformer",
      () => networks.transformer.compile(transformer.config, transformer.weights, policy, segments),
    ),
    textEncoder: compile(
      "textEncoder",
      () => networks.textEncoder.compile(textEncoder.config, textEncoder.weights, policy, segments),
    ),
    clipModel: clipModel &&
      compile(
        "clipModel",
        () => networks.clipModel.compile(clipModel.config, clipModel.weights, policy),
      ),
    vae: compile("vae", () => networks.vae.compile(vae.config, vae.weights, policy)),
  };
  if (problems.length > 0) throw new CheckpointError(problems);
  return graphs as PartGraphs;
}
