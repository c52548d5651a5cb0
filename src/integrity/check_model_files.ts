import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, posix, relative, resolve, sep } from "node:path";
import { NewBieError } from "../errors.ts";
import { readWholeText } from "../whole_file.ts";
import type { ChangedFile } from "./check_files.ts";
import { type CachedFile, ChecksumCache } from "./checksum_cache.ts";
import { type Checksums, parseChecksums } from "./checksum_list.ts";
import { isCoveredModelFile } from "./covered_files.ts";
import { hashFiles } from "./hash_files.ts";

/** How to compare a model's files with a list of checksums. */
export interface CheckModelFilesOptions {
  /** Remembers checksums between processes; see {@linkcode ChecksumCache}. */
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
export interface ModelFilesCheck {
  /** Files that are as listed. */
  readonly checked: readonly string[];
  /** Files in the `models/` beside the list that it does not name. */
  readonly unlisted: readonly string[];
}

/** Weights, or files that say how they are used, that are not the ones that are listed. */
export class ChangedWeightsError extends NewBieError {
  override name = "ChangedWeightsError";
  readonly files: readonly ChangedFile[];
  /** Listed, and not there. */
  readonly missing: readonly string[];

  constructor(list: string, files: readonly ChangedFile[], missing: readonly string[] = []) {
    const en = files.map(({ path, expected, found }) =>
      `${path} is not the file that ${list} lists: its SHA-256 is ${found}, and should be ${expected}.`
    );
    const zh = files.map(({ path, expected, found }) =>
      `${path} 与 ${list} 中的记录不符：其 SHA-256 为 ${found}，应为 ${expected}。`
    );
    en.push(...missing.map((path) => `${path} is missing, and ${list} lists it.`));
    zh.push(...missing.map((path) => `缺少 ${path}，而 ${list} 中有它的记录。`));
    const write = "deno task checksums --write";
    const cure = `Put the right file back; or, if this one is meant, list it: ${write}`;
    const cureZh = `请放回正确的文件；如果就要用现在的文件，请更新记录：${write}`;
    super({ en: [...en, cure], zh: [...zh, cureZh] });
    this.files = files;
    this.missing = missing;
  }
}

/** Where a list ought to name everything but texts for people. */
const COVERED = "models/";
const CONFIG = "config.json";

/**
 * Compares a model's files with the list of checksums, before they are used: weights, and all that
 * lies in the same folders and is listed, as a config.json and a tokenizer change a picture like any
 * weight. What a folder with a config.json lacks of the list is named, too. Files that the list does
 * not name are not read.
 *
 * @param places Files, or folders of them.
 * @param list The list's file; one that does not exist names nothing.
 * @throws {ChangedWeightsError} Naming all that are not as listed.
 * @throws {ChecksumListError} When the list is not one.
 * @throws {NewBieError} When a file cannot be read, or changes meanwhile.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const { checked } = await checkModelFiles(["models/demo/vae"], "checksums.txt");
 * assert.deepEqual(checked, ["models/demo/vae/config.json", "models/demo/vae/model.safetensors"]);
 * ```
 */
export async function checkModelFiles(
  places: readonly string[],
  list: string,
  options: CheckModelFilesOptions = {},
): Promise<ModelFilesCheck> {
  const read = await readList(list);
  if (read === undefined) return { checked: [], unlisted: [] };
  const files = [...new Set((await Promise.all(places.map(filesIn))).flat())];
  const named = await Promise.all(files.map(async (path) => {
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
  const missing = missingBeside(named.map(({ name }) => name), read.checksums);
  if (changed.length + missing.length > 0) {
    throw new ChangedWeightsError(basename(list), changed, missing);
  }
  return {
    checked: listed,
    unlisted: named.filter(({ name, expected }) =>
      expected === undefined && name.startsWith(COVERED)
    )
      .map(({ path }) => path),
  };
}

/** What is listed in the folders of a part, which have a config.json, and is not among the files. */
function missingBeside(names: readonly string[], checksums: Checksums): string[] {
  const folders = new Set(
    names.filter((name) => posix.basename(name) === CONFIG).map(posix.dirname),
  );
  return [...checksums.keys()].filter((name) =>
    folders.has(posix.dirname(name)) && !names.includes(name)
  );
}

/** @throws {NewBieError} When one of them cannot be read. */
async function checksumsOf(
  paths: readonly string[],
  { cacheFile, strict = false, onRead }: CheckModelFilesOptions,
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
    text = await readWholeText(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const folders = [resolve(dirname(file)), dirname(await realpath(file))];
  return { folders, checksums: parseChecksums(text, file) };
}

async function filesIn(place: string): Promise<string[]> {
  if (!(await stat(place)).isDirectory()) return [place];
  const names = (await readdir(place)).filter((name) => isCoveredModelFile(name)).sort();
  const paths = names.map((name) => join(place, name));
  // A link that leads nowhere is met where the file is asked for.
  const areFiles = await Promise.all(
    paths.map((path) => stat(path).then((found) => found.isFile(), () => false)),
  );
  return paths.filter((_, index) => areFiles[index]);
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
