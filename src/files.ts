/**
 * Files: what is there, JSON, and writing so that nobody ever sees half of a file.
 *
 * @module
 */

import { stat, statfs } from "node:fs/promises";
import { basename, isAbsolute, relative, resolve, sep } from "node:path";
import { NewBieError, RequestError } from "./errors.ts";
import { formatBytes } from "./format_bytes.ts";
import { jsonProblem } from "./json_problem.ts";
import type { Texts } from "./language.ts";
import { reasonOf } from "./system_reason.ts";
import { UnfinishedFile, type UnfinishedFileOptions } from "./unfinished.ts";
import { readWhole, readWholeText } from "./whole_file.ts";

/** Whether an error says that there is nothing under a path. */
export function isMissing(error: unknown): boolean {
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
    return true;
  }
  const { code = "" } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

/**
 * Whether something can be found under a path; a link that leads nowhere is nothing.
 *
 * @throws {Error} What the file system reports when it does not tell, such as a lack of permission.
 */
export async function exists(path: string): Promise<boolean> {
  return await whatIs(path) !== undefined;
}

/**
 * Whether there is a folder under a path.
 *
 * @throws {Error} What the file system reports when it does not tell, such as a lack of permission.
 */
export async function isFolder(path: string): Promise<boolean> {
  return (await whatIs(path))?.isDirectory() ?? false;
}

/**
 * A file's way from here where it lies below, with `/` on every system; otherwise its name alone:
 * recipes are published.
 */
export function wayFromHere(path: string): string {
  const way = relative(".", resolve(path));
  return way.startsWith("..") || isAbsolute(way) ? basename(path) : way.replaceAll(sep, "/");
}

/**
 * Whether a path leads to somewhere else than below the folder that it begins in, on any system: what
 * others wrote is not followed there.
 */
export function leadsOut(path: string): boolean {
  return isAbsolute(path) || /^[\\/]|^[a-z]:/i.test(path) || path.split(/[\\/]/).includes("..");
}

/** The last part of a path, whichever system's it is. */
export function lastPart(path: string): string {
  return path.split(/[\\/]/).at(-1)!;
}

async function whatIs(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** What a JSON file says, or why it cannot be read. */
export type JsonFile =
  | { readonly value: unknown; readonly problem?: never }
  | {
    readonly value?: never;
    /** Without a full stop, to go on from the file's name and a colon. */
    readonly problem: Texts<string>;
    readonly isMissing: boolean;
    readonly cause: unknown;
  };

/** Reads a JSON file. It does not throw: every caller has its own error for what it reads. */
export async function readJson(path: string): Promise<JsonFile> {
  let text: string;
  try {
    text = await readWholeText(path);
  } catch (cause) {
    const { en, zh } = reasonOf(cause);
    const problem = { en: `cannot be read: ${en}`, zh: `无法读取：${zh}` };
    return { problem, isMissing: isMissing(cause), cause };
  }
  try {
    return { value: JSON.parse(text.replace(/^\ufeff/, "")) };
  } catch (cause) {
    return { problem: jsonProblem(cause), isMissing: false, cause };
  }
}

/** The bytes of a file; undefined where there is none. */
export async function readIfThere(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await readWhole(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Reads a part of an open file; it is shorter where the file ends before. */
export async function readPart(
  file: Deno.FsFile,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, await fillFrom(file, bytes));
}

/** Reads on in an open file until `bytes` are full, and says how many came: fewer where it ends before. */
export async function fillFrom(file: Deno.FsFile, bytes: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < bytes.length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return filled;
}

/**
 * Writes a file whole or not at all: the bytes go into a temporary file of the same folder, reach
 * the disk, and then take the name. A file that had the name before stays until that moment. After a
 * failure the temporary file is gone; what a killed process leaves is removed by the next that
 * writes there.
 *
 * @throws {Error} What the file system reports, such as a missing folder or a full disk.
 */
export async function writeFileAtomically(
  path: string,
  bytes: Uint8Array,
  options: UnfinishedFileOptions = {},
): Promise<void> {
  await using file = await UnfinishedFile.create(path, options);
  await file.write(bytes);
  await file.keep();
}

/**
 * Writes a new file whole or not at all, under the first of several paths that no file has yet. It
 * never replaces a file, even if another process takes a path at the same moment.
 *
 * @param paths The paths to try, all in one folder; at least one of them has to be free.
 * @param isSame Whether a file that has one of the paths already is as good as the new one.
 * @returns The path that the file got, or that of a file which is the same.
 * @throws {Error} What the file system reports, such as a missing folder or a full disk.
 */
export async function writeNewFile(
  paths: Iterable<string>,
  bytes: Uint8Array,
  isSame: (path: string) => Promise<boolean> = () => Promise.resolve(false),
): Promise<string> {
  await using stack = new AsyncDisposableStack();
  let file: UnfinishedFile | undefined;
  let last = "";
  for (const path of paths) {
    last = path;
    if (file === undefined) {
      file = stack.use(await UnfinishedFile.create(path));
      await file.write(bytes);
    }
    if (await file.keepNew(path) || await isSame(path)) return path;
  }
  throw new NewBieError({
    en: `${last} is taken, and so is every other name that could be used.`,
    zh: `${last} 以及其他可用的名称都已被占用。`,
  });
}

/**
 * Refuses a path that is taken: weights are never overwritten.
 *
 * @throws {RequestError} When a file or folder is there already.
 */
export async function refuseExisting(path: string): Promise<void> {
  if (!await exists(path)) return;
  throw new RequestError(
    `${path} is there already, and weights are never overwritten. Remove it, or give another ` +
      "folder.",
    { zh: `${path} 已存在，而权重绝不会被覆盖。请删除它，或指定其他文件夹。` },
  );
}

/** How to say that a disk is too small. */
export interface RoomTexts {
  /** What is to be written, a plural. */
  readonly what: Texts<string>;
  /** What a person can do besides making room. */
  readonly remedy: Texts<string>;
}

/**
 * Makes sure, before gigabytes are written, that the disk has room for them.
 *
 * @param folder A folder of the disk.
 * @param bytes How many are to be written.
 * @throws {NewBieError} When the disk has fewer left.
 */
export async function requireRoom(
  folder: string,
  bytes: number,
  { what, remedy }: RoomTexts,
): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  throw new NewBieError(
    `${folder}: ${what.en} take ${formatBytes(bytes)}, but the disk has ${
      formatBytes(free)
    } left. ` +
      `Make room, ${remedy.en}`,
    {
      zh: `${folder}：${what.zh}需要 ${formatBytes(bytes)}，但磁盘只剩 ${formatBytes(free)}。` +
        `请腾出空间，${remedy.zh}`,
    },
  );
}

/** How file systems say that a disk or a quota is full, by name and by Linux's number. */
const NO_ROOM = /^(?:ENOSPC|EDQUOT)$|\(os error (?:28|122)\)/;

/** Whether an error of the file system says that a disk or a quota is full. */
export function isNoRoom(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof NewBieError) return false;
  // Deno names few errors by a code.
  const { code = "", message } = error as NodeJS.ErrnoException;
  return NO_ROOM.test(code) || NO_ROOM.test(message);
}
