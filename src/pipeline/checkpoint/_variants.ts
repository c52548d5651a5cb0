/** Variants of weights, in folders that hold several copies. */
import { PART_NAMES, type PartName } from "../../families/mod.ts";
import { findWeights } from "../../safetensors/mod.ts";
import { notFound } from "./_not_found.ts";
import { kindOf } from "./_part_files.ts";
import type { CheckpointFiles, PartFiles } from "./types.ts";

/**
 * Takes a variant of each part that has it, and the full weights of the others, as diffusers does.
 *
 * @throws {CheckpointNotFoundError} When no part has the variant.
 */
export async function chooseVariant(
  files: CheckpointFiles,
  variant: string | undefined,
  place: string,
): Promise<CheckpointFiles> {
  if (variant === undefined) return files;
  const chosen: Partial<Record<PartName, PartFiles>> = {};
  for (const part of PART_NAMES) {
    const { weights } = files[part] ?? {};
    if (weights === undefined || await kindOf(weights) !== "folder") continue;
    const found = await findWeights(weights, variant).catch(() => undefined);
    if (found !== undefined) chosen[part] = { ...files[part], weights: found };
  }
  if (Object.keys(chosen).length === 0) throw notFound((text) => text.noVariant(place, variant));
  return { ...files, ...chosen };
}
