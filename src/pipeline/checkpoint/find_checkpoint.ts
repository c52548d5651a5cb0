/**
 * Finding the parts of a checkpoint on disk, in any of three layouts.
 *
 * @module
 */
import { dirname, join, resolve } from "node:path";
import { FAMILIES, type ModelFamily, PART_NAMES } from "../../families/mod.ts";
import { openWeights } from "../../safetensors/mod.ts";
import { findFolders } from "./_folder_layouts.ts";
import { missingPlace, notFound } from "./_not_found.ts";
import { kindOf } from "./_part_files.ts";
import { findSingleFiles } from "./_single_files.ts";
import { chooseVariant } from "./_variants.ts";
import { CheckpointNotFoundError } from "./checkpoint_not_found_error.ts";
import type { CheckpointFiles, FindCheckpointOptions } from "./types.ts";

/**
 * Finds the parts of a checkpoint.
 *
 * - `diffusers`: a pipeline folder with `transformer/`, `text_encoder/`, `clip_model/` (or
 *   `text_encoder_2/`, as in diffusers' conversions) and `vae/`.
 * - `toolkit`: `models/next-dit-3.5b/` and its three companions, or, where none of the four is
 *   there, the demo model in `models/demo/`.
 * - `comfyui`: single safetensors files in the folder or in ComfyUI's folders (`diffusion_models`,
 *   `text_encoders`, `vae`, `checkpoints`…) and what is below them, told apart by the tensors in
 *   them. Other models' files may lie there too: those are taken that fit each other.
 *
 * @param place The folder to look in, or a single file with all parts.
 * @throws {CheckpointNotFoundError} When nothing is found, or something is missing or ambiguous.
 * @throws {ConfigError} When the config.json of one of several candidates is wrong.
 */
export async function findCheckpoint(
  place: string,
  options: FindCheckpointOptions = {},
): Promise<CheckpointFiles> {
  const { parts = {}, families = FAMILIES } = options;
  for (const part of PART_NAMES) {
    const path = parts[part];
    if (path !== undefined && await kindOf(path) === undefined) {
      throw missingPlace((text) => text.noNamedPart(part, path));
    }
  }
  const kind = await kindOf(place);
  if (kind !== "folder" && kind !== "file") throw missingPlace((text) => text.noPlace(place));
  const inFolders: CheckpointFiles[] = [];
  for (const family of kind === "folder" ? families : []) {
    const found = await findFolders(place, family, parts);
    if (found !== undefined) inFolders.push(found);
  }
  const [first, ...more] = inFolders;
  if (first !== undefined) {
    const own = more.length === 0 ? first : await ofItsFamily(inFolders) ?? first;
    return await chooseVariant(own, options.variant, place);
  }
  try {
    const found = await findSingleFiles(place, families, options);
    if (found !== undefined) return found;
  } catch (error) {
    if (!(error instanceof CheckpointNotFoundError)) throw error;
    throw await elsewhere(place, families) ?? error;
  }
  throw await elsewhere(place, families) ??
    notFound((text) => text.notFound(place, families[0]!.slots.toolkit.transformer));
}

/** The error that names the folder that was meant: one inside, or the one that a part's folder is in. */
async function elsewhere(
  place: string,
  families: readonly ModelFamily[],
): Promise<CheckpointNotFoundError | undefined> {
  if (await kindOf(place) !== "folder") return undefined;
  const holds = async (folder: string) => {
    for (const family of families) {
      // What lacks a part is not what was meant.
      const found = await findFolders(folder, family, {}).catch(() => undefined);
      if (found !== undefined && !found.isDemo) return found;
    }
  };
  const above = dirname(resolve(place));
  const around = await holds(above);
  const parts = PART_NAMES.map((part) => around?.[part]?.weights);
  if (parts.some((weights) => weights !== undefined && resolve(weights) === resolve(place))) {
    return notFound((text) => text.isPart(place, above));
  }
  const inside: string[] = [];
  const names = (await Array.fromAsync(Deno.readDir(place))).filter(({ name }) =>
    !name.startsWith(".")
  ).map(({ name }) => name).sort().slice(0, MOST_INSIDE);
  for (const name of names) {
    const folder = join(place, name);
    if (await kindOf(folder) === "folder" && await holds(folder) !== undefined) inside.push(folder);
  }
  return inside.length === 0 ? undefined : notFound((text) => text.isInside(place, inside));
}

/** Folders in a folder that are looked into. */
const MOST_INSIDE = 100;

/** Where the folders could be several families', the one whose transformer lies in them. */
async function ofItsFamily(
  found: readonly CheckpointFiles[],
): Promise<CheckpointFiles | undefined> {
  for (const files of found) {
    const { family, transformer } = files;
    const weights = await openWeights(transformer.weights).catch(() => undefined);
    if (weights && family.networks.transformer.names(weights) !== undefined) return files;
  }
  return undefined;
}
