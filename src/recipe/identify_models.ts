import { basename, dirname, join, resolve } from "node:path";
import {
  type CheckpointFiles,
  COMFYUI_TOKENIZER_TENSOR,
  type PartFiles,
} from "../pipeline/checkpoint/types.ts";
import { type Companions, companionsOf } from "../pipeline/checkpoint/companions.ts";
import type { PartName } from "../families/mod.ts";
import { openWeights } from "../safetensors/mod.ts";
import { hashWeights, type HashWeightsOptions } from "./hash_weights.ts";
import type { RecipeModel, RecipeModels } from "./types.ts";

/**
 * Names and checksums of a checkpoint's networks. The real ones are 15 GB: begin early, await it
 * late, and give a cache.
 *
 * @param files Where they lie; `findCheckpoint` tells.
 * @throws {SafetensorsError | GgufError} When weights are not what they should be.
 * @throws {NewBieError} When a file changes while it is read.
 */
export async function identifyModels(
  files: CheckpointFiles,
  options: HashWeightsOptions = {},
): Promise<RecipeModels> {
  const { layout, clipModel } = files;
  const companions = await companionsOf(files);
  const identify = (name: PartName, part: PartFiles) =>
    identifyModel(part, companions[name] ?? {}, options);
  return {
    layout,
    transformer: await identify("transformer", files.transformer),
    textEncoder: await identify("textEncoder", files.textEncoder),
    ...(clipModel === undefined ? {} : { clipModel: await identify("clipModel", clipModel) }),
    vae: await identify("vae", files.vae),
  };
}

async function identifyModel(
  { weights }: PartFiles,
  { config, tokenizer }: Companions,
  options: HashWeightsOptions,
): Promise<RecipeModel> {
  // Shards are put in order by the names that the index gives them: links may lead to others.
  const { paths } = await openWeights(weights, { opaque: [COMFYUI_TOKENIZER_TENSOR] });
  return {
    name: nameOf(weights),
    sha256: await hashWeights(paths, options),
    ...(config === undefined ? {} : { config: await hashWeights([config], options) }),
    ...(tokenizer === undefined ? {} : { tokenizer: await hashWeights(tokenizer, options) }),
  };
}

/** A folder called `vae` says little without the one it is in. */
function nameOf(weights: string): string {
  const path = resolve(weights);
  // What diffusers and transformers call every model's file says nothing.
  const variant = /^(?:model|diffusion_pytorch_model)\.(.+\.)?(?:safetensors|sft|json)/i;
  if (variant.test(basename(path))) return nameOf(dirname(path));
  const file = /^(.+)\.(?:safetensors|sft|gguf)$/i.exec(basename(path))?.[1];
  return file ?? join(basename(dirname(path)), basename(path)).replaceAll("\\", "/");
}
