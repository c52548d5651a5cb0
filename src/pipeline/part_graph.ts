import { NewBieError } from "../errors.ts";
import type { PartName } from "../families/mod.ts";
import type { CompiledGraph, DtypePolicy } from "../onnx/mod.ts";
import { findCheckpoint } from "./checkpoint/find_checkpoint.ts";
import { openPart } from "./checkpoint/open_part.ts";
import type { PartFiles } from "./checkpoint/types.ts";

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
 * @throws {SafetensorsError | GgufError} When the part's weights file is damaged.
 * @throws {NewBieError} When the checkpoint has no CLIP model, and its graph is asked for.
 */
export async function partGraph(
  folder: string,
  name: GraphName,
  policy: DtypePolicy,
): Promise<CompiledGraph> {
  const files = await findCheckpoint(folder);
  const { family } = files;
  const open = (part: PartName, place: PartFiles) => openPart(place, part, family);
  switch (name) {
    case "text-encoder": {
      const { json, file, weights } = await open("textEncoder", files.textEncoder);
      const { parse, compile } = family.networks.textEncoder;
      return compile(parse(json, file, weights), weights, policy).graphs[0]!;
    }
    case "clip-model": {
      if (files.clipModel === undefined) throw noClipModel(folder);
      const { json, file, weights } = await open("clipModel", files.clipModel);
      const { parse, compile } = family.networks.clipModel;
      return compile(parse(json, file, weights), weights, policy).graph;
    }
    case "transformer":
    case "transformer-text": {
      const { json, file, weights } = await open("transformer", files.transformer);
      const { parse, compile } = family.networks.transformer;
      const { text, steps } = compile(parse(json, file, weights), weights, policy);
      return name === "transformer" ? steps[0]! : text;
    }
    case "vae": {
      const { json, file, weights } = await open("vae", files.vae);
      const { parse, compile } = family.networks.vae;
      return compile(parse(json, file, weights), weights, policy).whole;
    }
  }
}

function noClipModel(folder: string): NewBieError {
  return new NewBieError(`${folder} has no CLIP model, so there is no graph of it.`, {
    zh: `${folder} 没有 CLIP 模型，因此没有它的计算图。`,
  });
}
