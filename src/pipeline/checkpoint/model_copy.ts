/**
 * Copies of models in which some weights are others: quantised, or with adapters in them.
 *
 * @module
 */
import { copyFile, link, mkdir, readdir, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { NewBieError, RequestError } from "../../errors.ts";
import { isNoRoom, refuseExisting, requireRoom, type RoomTexts } from "../../files.ts";
import { isUnderWay, UnfinishedFolder } from "../../unfinished.ts";
import { requireFile } from "../../whole_file.ts";
import { CheckpointNotFoundError } from "./checkpoint_not_found_error.ts";
import { findCheckpoint } from "./find_checkpoint.ts";
import type { CheckpointFiles } from "./types.ts";

const WEIGHTS_SUFFIX = ".safetensors";
const WEIGHTS = /\.(?:safetensors|sft|gguf)$/i;

/** What a copy is made of. */
export interface ModelCopy {
  /** The model's folder. */
  readonly source: string;
  /** The new folder. */
  readonly target: string;
  /** All files, by their paths in the folder, from {@linkcode modelFiles}. */
  readonly paths: readonly string[];
  /** Those of them that are written anew. */
  readonly rewritten: readonly string[];
  /** How many bytes the rewritten ones will take. */
  readonly bytes: number;
  /** How to say that the disk is too small. */
  readonly texts: RoomTexts;
}

/**
 * Copies a model's folder but for some files, which `write` makes. Weights that stay as they are
 * become hard links where the file system has them, so that they take no room twice. The folder
 * appears when all of it is on disk.
 *
 * @param write Makes the rewritten files; gives the path in the copy of each path in the folder.
 * @throws {RequestError} When something has the target's name already.
 * @throws {NewBieError} When the disk has not enough room.
 */
export async function copyModel<Result>(
  { source, target, paths, rewritten, bytes, texts }: ModelCopy,
  write: (copyOf: (path: string) => string) => Promise<Result>,
): Promise<Result> {
  const disk = dirname(resolve(target));
  await using made = await UnfinishedFolder.create(target);
  const copyOf = (path: string) => join(made.path, path);
  try {
    for (const path of paths) await mkdir(dirname(copyOf(path)), { recursive: true });
    // Links cost nothing, so they are made first: what cannot be linked, on another disk, needs room.
    const toCopy: string[] = [];
    for (const path of paths.filter((path) => !rewritten.includes(path))) {
      const isLinked = WEIGHTS.test(path) &&
        await linked(join(source, path), copyOf(path));
      if (!isLinked) toCopy.push(path);
    }
    const copied = await Promise.all(
      toCopy.map(async (path) => (await stat(join(source, path))).size),
    );
    await requireRoom(disk, copied.reduce((sum, bytes) => sum + bytes, bytes), texts);
    for (const path of toCopy) {
      // Nobody waits for a pipe.
      await requireFile(join(source, path));
      await copyFile(join(source, path), copyOf(path));
    }
    const result = await write(copyOf);
    if (!await made.keep()) await refuseExisting(target);
    return result;
  } catch (error) {
    throw isNoRoom(error) ? diskFull(disk, error) : error;
  }
}

/** The disk was large enough in the beginning, and others have written to it since. */
export function diskFull(folder: string, cause: unknown): NewBieError {
  return new NewBieError(
    `The disk that holds ${folder} is full; nothing is left of the copy. Make room, or give ` +
      "another folder with --out.",
    {
      cause,
      zh: `${folder} 所在的磁盘已满，副本没有留下任何内容。请腾出空间，或用 --out 指定其他文件夹。`,
    },
  );
}

/**
 * Refuses a place for a copy that is taken, or that another process is filling.
 *
 * @throws {RequestError} When it is.
 */
export async function refuseTaken(target: string): Promise<void> {
  await refuseExisting(target);
  if (await isUnderWay(target)) {
    throw new RequestError(
      `Another process is making ${target} just now. Wait for it, or give another folder.`,
      { zh: `另一个进程正在生成 ${target}。请等它结束，或指定其他文件夹。` },
    );
  }
}

/**
 * A model's files, by their paths in its folder: of any layout that `findCheckpoint` knows, or of one
 * part's folder.
 *
 * @throws {CheckpointNotFoundError} When the folder holds no model.
 */
export async function modelFiles(source: string): Promise<string[]> {
  let places: string[];
  try {
    places = placesOf(await findCheckpoint(source));
  } catch (error) {
    if (!(error instanceof CheckpointNotFoundError) || !await holdsWeights(source)) throw error;
    places = [source];
  }
  const paths = new Set<string>();
  for (const place of [...places, join(source, "model_index.json")]) {
    const found = await stat(place).catch(() => undefined);
    const files = found?.isDirectory()
      ? (await readdir(place, { recursive: true, withFileTypes: true }))
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name))
      : found === undefined
      ? []
      : [place];
    for (const file of files) paths.add(relative(source, file));
  }
  return [...paths].sort();
}

function placesOf(files: CheckpointFiles): string[] {
  const { transformer, textEncoder, clipModel, vae, tokenizer, clipTokenizer, scheduler } = files;
  const parts = [transformer, textEncoder, clipModel, vae]
    .flatMap((part) => part === undefined ? [] : [part.weights, part.config]);
  return [...parts, tokenizer, clipTokenizer, scheduler]
    .filter((place) => typeof place === "string");
}

async function holdsWeights(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  return names.some((name) => name.endsWith(WEIGHTS_SUFFIX));
}

/** Gives weights a second name in the copy, so that they take no room twice, where that can be. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(await Deno.realPath(from), to);
    return true;
  } catch {
    return false;
  }
}
