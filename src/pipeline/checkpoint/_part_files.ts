/** A part's files, where a folder or an option names them. */
import { basename, dirname, join } from "node:path";
import { NewBieError } from "../../errors.ts";
import { findWeights, isGgufName } from "../../safetensors/mod.ts";
import { reasonOf } from "../../system_reason.ts";
import type { PartFiles } from "./types.ts";

/** How single files end: upper case on systems that do not mind, `.sft` in ComfyUI's habit. */
const WEIGHTS = /\.(?:safetensors|sft|gguf)$/i;

/** Whether a name is that of a weights file. Names that begin with a dot are no data. */
export function isWeightsName(name: string): boolean {
  return WEIGHTS.test(name) && !name.startsWith(".");
}

/** A path without the ending of a weights file, with another one. */
export function withEnding(path: string, ending: string): string {
  return path.replace(WEIGHTS, "") + ending;
}

/**
 * What lies at a path, links followed.
 *
 * @throws {NewBieError} When that may not be known.
 */
export async function kindOf(path: string): Promise<"file" | "folder" | "other" | undefined> {
  try {
    const { isFile, isDirectory } = await Deno.stat(path);
    return isFile ? "file" : isDirectory ? "folder" : "other";
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    const reason = reasonOf(cause);
    throw new NewBieError({
      en: `${path} cannot be looked at: ${reason.en}.`,
      zh: `无法查看 ${path}：${reason.zh}。`,
    }, { cause });
  }
}

/** The first of several paths that there is. */
export async function firstThere(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await kindOf(path) !== undefined) return path;
  return undefined;
}

/** A part in a folder of its own. */
export async function partInFolder(weights: string): Promise<PartFiles> {
  const config = join(weights, "config.json");
  if (await kindOf(config) !== undefined) return { weights, config };
  // A GGUF file says itself what it is; of others it is an error that there is no config.json.
  const isAlone = await findWeights(weights).then(isGgufName, () => false);
  return isAlone ? { weights } : { weights, config };
}

/** A part that an option names: a folder, a file, or the index of shards. */
export async function namedPart(path: string): Promise<PartFiles> {
  const places = await kindOf(path) === "folder"
    ? [join(path, "config.json")]
    : [withEnding(path, ".json"), join(dirname(path), "config.json")];
  for (const config of places) {
    if (basename(config) !== basename(path) && await kindOf(config) === "file") {
      return { weights: path, config };
    }
  }
  return { weights: path };
}
