import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { NewBieError } from "../errors.ts";
import type { ChangedFile } from "./check_files.ts";
import { ChecksumCache } from "./checksum_cache.ts";
import { type Checksums, parseChecksums } from "./checksum_list.ts";
import { hashFiles } from "./hash_files.ts";

/** How to compare weights with lists of checksums. */
export interface CheckWeightsOptions {
  /** Lists that may speak of them; one that does not exist says nothing. */
  readonly lists: readonly string[];
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
  /** Files below a list's folder that the list does not name. */
  readonly unlisted: readonly string[];
}

/** Weights that are not the ones that are listed. */
export class ChangedWeightsError extends NewBieError {
  override name = "ChangedWeightsError";
  readonly files: readonly ChangedFile[];

  constructor(files: readonly (ChangedFile & { readonly list: string })[]) {
    const en = files.map(({ path, list, expected, found }) =>
      `${path} is not the file that ${list} lists: its SHA-256 is ${found}, and should be ${expected}.`
    );
    const zh = files.map(({ path, list, expected, found }) =>
      `${path} 与 ${list} 中的记录不符：其 SHA-256 为 ${found}，应为 ${expected}。`
    );
    super(
      [
        ...en,
        "Put the right file back; or, if this one is meant, list it: deno task checksums --write",
      ]
        .join("\n"),
      {
        zh: [
          ...zh,
          "请放回正确的文件；如果就要用现在的文件，请更新记录：deno task checksums --write",
        ]
          .join("\n"),
      },
    );
    this.files = files;
  }
}

const WEIGHTS = ".safetensors";

interface List {
  readonly file: string;
  /** The list's folder, as it was named and without links. */
  readonly folders: readonly string[];
  readonly checksums: Checksums;
}

/**
 * Compares weights with the lists of checksums that name them, before they are used.
 *
 * @param places Safetensors files, or folders of them.
 * @throws {ChangedWeightsError} Naming all that are not as listed.
 * @throws {ChecksumListError} When a list is not one.
 * @throws {NewBieError} When a file cannot be read, or changes meanwhile.
 */
export async function checkWeights(
  places: readonly string[],
  { lists: files, cacheFile, strict = false, onRead }: CheckWeightsOptions,
): Promise<WeightsCheck> {
  const distinct = new Map(files.map((file) => [resolve(file), file]));
  const lists = (await Promise.all([...distinct.values()].map(readList))).flat();
  if (lists.length === 0) return { checked: [], unlisted: [] };
  const weights = (await Promise.all(places.map(weightsIn))).flat();
  const named = await Promise.all(weights.map(async (path) => {
    const names = await Promise.all(lists.map((list) => nameIn(list, path)));
    const expected = lists.flatMap(({ file, checksums }, index) => {
      const sha256 = names[index] === undefined ? undefined : checksums.get(names[index]);
      return sha256 === undefined ? [] : [{ list: file, sha256 }];
    });
    return { path, expected, isBelow: names.some((name) => name !== undefined) };
  }));
  const listed = named.filter(({ expected }) => expected.length > 0);
  const sums = await checksumsOf(listed.map(({ path }) => path), { cacheFile, strict, onRead });
  const changed = listed.flatMap(({ path, expected }, index) =>
    expected.filter(({ sha256 }) => sha256 !== sums[index])
      .map(({ list, sha256 }) => ({ path, list, expected: sha256, found: sums[index]! }))
  );
  if (changed.length > 0) throw new ChangedWeightsError(changed);
  return {
    checked: listed.map(({ path }) => path),
    unlisted: named.filter(({ expected, isBelow }) => isBelow && expected.length === 0)
      .map(({ path }) => path),
  };
}

async function checksumsOf(
  paths: readonly string[],
  { cacheFile, strict, onRead }: Omit<CheckWeightsOptions, "lists">,
): Promise<string[]> {
  const cache = await ChecksumCache.open(cacheFile);
  const found = await Promise.all(paths.map((path) => cache.find(path)));
  const known = found.map(({ sha256 }) => strict ? undefined : sha256);
  const unknown = [...paths.keys()].filter((index) => known[index] === undefined);
  if (unknown.length > 0 && onRead !== undefined) {
    const sizes = await Promise.all(unknown.map(async (index) => (await stat(paths[index]!)).size));
    onRead(sizes.reduce((sum, size) => sum + size, 0));
  }
  const outcomes = await hashFiles(unknown.map((index) => paths[index]!));
  for (const [place, { sha256, problem }] of outcomes.entries()) {
    if (problem !== undefined) throw new NewBieError(problem.en, { zh: problem.zh });
    const index = unknown[place]!;
    known[index] = sha256;
    cache.remember(paths[index]!, found[index]!, sha256);
  }
  await cache.save();
  return known as string[];
}

async function readList(file: string): Promise<List[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
  const folders = [resolve(dirname(file)), dirname(await realpath(file))];
  return [{ file, folders, checksums: parseChecksums(text, file) }];
}

async function weightsIn(place: string): Promise<string[]> {
  if (place.endsWith(WEIGHTS)) return [place];
  const names = await readdir(place);
  return names.filter((name) => name.endsWith(WEIGHTS)).sort().map((name) => join(place, name));
}

/** A file's path as a list would write it; undefined for one that is not below the list's folder. */
async function nameIn({ folders, checksums }: List, path: string): Promise<string | undefined> {
  const places = [resolve(path), join(await realpath(dirname(path)), basename(path))];
  const names = folders.flatMap((folder) =>
    places.map((place) => relative(folder, place).replaceAll(sep, "/"))
  );
  const below = names.filter((name) => !name.startsWith("../") && !name.includes(":"));
  return below.find((name) => checksums.has(name)) ?? below[0];
}

function isAbsent(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}
