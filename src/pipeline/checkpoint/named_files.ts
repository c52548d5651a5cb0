import type { PartName } from "../../families/mod.ts";
import { missingPlace } from "./_not_found.ts";
import { kindOf, namedPart } from "./_part_files.ts";
import type { PartFiles } from "./types.ts";

/**
 * The files of a part that is named, without a model around it.
 *
 * @param path A safetensors file, an index or a folder.
 * @throws {CheckpointNotFoundError} When there is nothing.
 */
export async function namedFiles(path: string, part: PartName): Promise<PartFiles> {
  if (await kindOf(path) === undefined) throw missingPlace((text) => text.noNamedPart(part, path));
  return await namedPart(path);
}
