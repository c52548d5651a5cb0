import { readdir, readFile, realpath } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { NewBieError } from "../errors.ts";
import type { ChangedFile } from "./check_files.ts";
import { type CachedFile, ChecksumCache } from "./checksum_cache.ts";
import { type Checksums, parseChecksums } from "./checksum_list.ts";
import { hashFiles } from "./hash_files.ts";

/** How to compare weights with a list of checksums. */
export interface CheckWeightsOptions {
  /** A JSON file that remembers checksums between processes, by path, size, inode and times. */
  readonly cacheFile?: string | undefined;
  /**
   * Whether all files are read, whatever the cache remembers of them.
   *
   * @default {false}
   */
  readonly strict?: boolean | undefined;
  /** Is told how many bytes are to be read, before they are. */
  readonly onRead?: ((bytes: number) => void) | undefined;
}

/** What became of a check. */
export interface WeightsCheck {
  /** Files that are as listed. */
  readonly checked: readonly string[];
  /** Files in the `models/` beside the list that it does not name. */
  readonly unlisted: readonly string[];
}

/** Weights that are not the ones that are listed. */
export class ChangedWeightsError extends NewBieError {
  override name = "ChangedWeightsError";
  readonly files: readonly ChangedFile[];

  constructor(list: string, files: readonly ChangedFile[]) {
    const en = files.map(({ path, expected, found }) =>
      `${path} is not the file that ${list} lists: its SHA-256 is ${found}, and should be ${expected}.`
    );
    const zh = files.map(({ path, expected, found }) =>
      `${path} 与 ${list} 中的记录不符：其 SHA-256 为 ${found}，应为 ${expected}。`
    );
    const write = "deno task checksums --write";
    const cure = `Put the right file back; or, if this one is meant, list it: ${write}`;
    const cureZh = `请放回正确的文件；如果就要用现在的文件，请更新记录：${write}`;
    super({ en: [...en, cure], zh: [...zh, cureZh] });
    this.files = files;
  }
}

const WEIGHTS = ".safetensors";

/** Where a list ought to name all weights. */
const COVERED = "models/";

/**
 * Compares weights with the list of checksums, before they are used. Weights that it does not name
 * are not read.
 *
 * @param places Safetensors files, or folders of them.
 * @param list The list's file; one that does not exist names nothing.
 * @throws {ChangedWeightsError} Naming all that are not as listed.
 * @throws {ChecksumListError} When the list is not one.
 * @throws {NewBieError} When a file cannot be read, or changes meanwhile.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const { checked } = await checkWeights(["models/demo/vae"], "checksums.txt");
 * assert.deepEqual(checked, ["models/demo/vae/model.safetensors"]);
 * ```
 */
export async function checkWeights(
  places: readonly string[],
  list: string,
  options: CheckWeightsOptions = {},
): Promise<WeightsCheck> {
  const read = await readList(list);
  if (read === undefined) return { checked: [], unlisted: [] };
  const weights = (await Promise.all(places.map(weightsIn))).flat();
  const named = await Promise.all(weights.map(async (path) => {
    const name = await nameIn(read, path);
    return { path, name, expected: read.checksums.get(name) };
  }));
  const listed = named.filter(({ expected }) => expected !== undefined).map(({ path }) => path);
  const sums = await checksumsOf(listed, options);
  const changed = named.flatMap(({ path, expected }) => {
    const found = sums.get(path);
    return expected === undefined || found === undefined || found === expected
      ? []
      : [{ path, expected, found }];
  });
  if (changed.length > 0) throw new ChangedWeightsError(basename(list), changed);
  return {
    checked: listed,
    unlisted: named.filter(({ name, expected }) =>
      expected === undefined && name.startsWith(COVERED)
    )
      .map(({ path }) => path),
  };
}

/** @throws {NewBieError} When one of them cannot be read. */
async function checksumsOf(
  paths: readonly string[],
  { cacheFile, strict = false, onRead }: CheckWeightsOptions,
): Promise<ReadonlyMap<string, string>> {
  const cache = await ChecksumCache.open(cacheFile);
  const sums = new Map<string, string>();
  const unknown: (CachedFile & { readonly path: string })[] = [];
  for (const path of paths) {
    const found = await cache.find(path);
    if (found.sha256 === undefined || strict) unknown.push({ path, ...found });
    else sums.set(path, found.sha256);
  }
  if (unknown.length > 0) onRead?.(unknown.reduce((sum, { bytes }) => sum + bytes, 0));
  const outcomes = await hashFiles(unknown.map(({ path }) => path));
  for (const [index, { sha256, problem }] of outcomes.entries()) {
    if (problem !== undefined) throw new NewBieError(problem.en, { zh: problem.zh });
    const file = unknown[index]!;
    sums.set(file.path, sha256);
    cache.remember(file.path, file, sha256);
  }
  await cache.save();
  return sums;
}

interface List {
  /** The list's folder, as it was named and without links. */
  readonly folders: readonly string[];
  readonly checksums: Checksums;
}

async function readList(file: string): Promise<List | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const folders = [resolve(dirname(file)), dirname(await realpath(file))];
  return { folders, checksums: parseChecksums(text, file) };
}

async function weightsIn(place: string): Promise<string[]> {
  if (place.endsWith(WEIGHTS)) return [place];
  const names = await readdir(place);
  return names.filter((name) => name.endsWith(WEIGHTS)).sort().map((name) => join(place, name));
}

/** A file's path as the list would write it, whether it was reached through links or not. */
async function nameIn({ folders, checksums }: List, path: string): Promise<string> {
  const places = [resolve(path), join(await realpath(dirname(path)), basename(path))];
  const names = folders.flatMap((folder) =>
    places.map((place) => relative(folder, place).replaceAll(sep, "/"))
  );
  return names.find((name) => checksums.has(name)) ??
    names.find((name) => name.startsWith(COVERED)) ?? names[0]!;
}
