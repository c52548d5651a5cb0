import { NewBieError } from "../errors.ts";
import { compileVae, parseVaeConfig } from "../models/autoencoder.ts";
import { compileGemma3, parseGemma3Config } from "../models/gemma3.ts";
import { compileJinaClip, parseJinaClipConfig } from "../models/jina_clip.ts";
import { compileNextDiT } from "../models/next_dit.ts";
import { parseNextDiTConfig } from "../models/next_dit_config.ts";
import type { CompiledGraph, DtypePolicy } from "../onnx/mod.ts";
import { openWeights, type Weights } from "../safetensors/mod.ts";
import {
  COMFYUI_TOKENIZER_TENSOR,
  type ComponentFiles,
  findCheckpoint,
} from "./checkpoint/find_checkpoint.ts";

/** The graphs that a pipeline with everything loaded runs, in the order in which it runs them. */
export const GRAPH_NAMES = [
  "text-encoder",
  "clip-model",
  "transformer-text",
  "transformer",
  "vae",
] as const;

/**
 * A graph of a pipeline. `transformer-text` is the transformer's share that runs once a prompt,
 * `transformer` the one that runs in every step.
 */
export type GraphName = typeof GRAPH_NAMES[number];

/**
 * Compiles one graph of a checkpoint. Headers and configurations are read, but no weight, and no
 * session is made.
 *
 * @param folder As for {@linkcode findCheckpoint}.
 * @throws {CheckpointNotFoundError} When there is no checkpoint, or parts of it are missing.
 * @throws {CheckpointError} Naming every tensor that does not fit.
 * @throws {ConfigError} When the part's config.json is wrong.
 * @throws {SafetensorsError} When the part's weights file is damaged.
 * @throws {NewBieError} When the checkpoint has no CLIP model, and its graph is asked for.
 */
export async function partGraph(
  folder: string,
  name: GraphName,
  policy: DtypePolicy,
): Promise<CompiledGraph> {
  const files = await findCheckpoint(folder);
  switch (name) {
    case "text-encoder": {
      const { json, file, weights } = await open(files.textEncoder);
      return compileGemma3(parseGemma3Config(json, file, weights), weights, policy).graphs[0]!;
    }
    case "clip-model": {
      if (files.clipModel === undefined) throw noClipModel(folder);
      const { json, file, weights } = await open(files.clipModel);
      return compileJinaClip(parseJinaClipConfig(json, file, weights), weights, policy).graph;
    }
    case "transformer":
    case "transformer-text": {
      const { json, file, weights } = await open(files.transformer);
      const config = parseNextDiTConfig(json ?? {}, file, weights);
      const { text, steps } = compileNextDiT(config, weights, policy);
      return name === "transformer" ? steps[0]! : text;
    }
    case "vae": {
      const { json, file, weights } = await open(files.vae);
      return compileVae(parseVaeConfig(json, file, weights), weights, policy).whole;
    }
  }
}

async function open(
  { weights: path, config }: ComponentFiles,
): Promise<{ json: unknown; file: string; weights: Weights }> {
  const weights = await openWeights(path, { opaque: [COMFYUI_TOKENIZER_TENSOR] });
  if (config === undefined) return { json: undefined, file: path, weights };
  return { json: JSON.parse(await Deno.readTextFile(config)), file: config, weights };
}

function noClipModel(folder: string): NewBieError {
  return new NewBieError(`${folder} has no CLIP model, so there is no graph of it.`, {
    zh: `${folder} 没有 CLIP 模型，因此没有它的计算图。`,
  });
}
