/**
 * Writing files so that nobody ever sees half of one.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { link, open, rename, rm, stat, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { NewBieError, RequestError } from "./errors.ts";

/** Whether something can be found under a path. */
export async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}

/**
 * Writes a file whole or not at all: the bytes go into a temporary file of the same folder, reach
 * the disk, and then take the name. A file that had the name before stays until that moment. After a
 * failure the temporary file is gone.
 *
 * @param temporary The temporary file's path, for callers that may write to named files alone: what
 *   was left there is overwritten. By default a new name in the same folder.
 * @throws {Error} What the file system reports, such as a missing folder or a full disk.
 */
export async function writeFileAtomically(
  path: string,
  bytes: Uint8Array,
  temporary?: string,
): Promise<void> {
  const mayExist = temporary !== undefined;
  temporary ??= temporaryBeside(path);
  try {
    await writeToDisk(temporary, bytes, mayExist ? "w" : "wx");
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** How to write a new file. */
export interface NewFileOptions {
  /** The temporary file's path, which no file may have; by default a new name in the same folder. */
  readonly temporary?: string | undefined;
  /** Whether a file that has one of the paths already is as good as the new one. */
  readonly isSame?: ((path: string) => Promise<boolean>) | undefined;
}

/**
 * Writes a new file whole or not at all, under the first of several paths that no file has yet. It
 * never replaces a file, even if another process takes a path at the same moment.
 *
 * @param paths The paths to try, all in one folder; at least one of them has to be free.
 * @returns The path that the file got, or that of a file which is the same.
 * @throws {Error} What the file system reports, such as a missing folder or a full disk.
 */
export async function writeNewFile(
  paths: Iterable<string>,
  bytes: Uint8Array,
  { temporary, isSame }: NewFileOptions = {},
): Promise<string> {
  let written: string | undefined;
  try {
    for (const path of paths) {
      if (written === undefined) {
        written = temporary ?? temporaryBeside(path);
        await writeToDisk(written, bytes, "wx");
      }
      if (await giveName(written, path) || await isSame?.(path)) return path;
    }
    throw new Error("every path is taken");
  } finally {
    if (written !== undefined) await rm(written, { force: true });
  }
}

function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
}

async function writeToDisk(path: string, bytes: Uint8Array, flag: "w" | "wx"): Promise<void> {
  const file = await open(path, flag);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Gives a file a second name; false when another file has it. */
async function giveName(file: string, name: string): Promise<boolean> {
  try {
    await link(file, name);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    if (!NO_LINKS.includes(codeOf(error))) throw error;
  }
  // A file system without links, such as exFAT: an empty file takes the name first, so that no
  // other file can be replaced.
  try {
    await (await open(name, "wx")).close();
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
  await rename(file, name);
  return true;
}

/** How file systems say that they have no links. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
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
  );
}

/** How to say that a disk is too small. */
export interface RoomTexts {
  /** What is to be written, a plural. */
  readonly what: string;
  /** What a person can do besides making room. */
  readonly remedy: string;
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
  const gib = (count: number) => `${(count / 2 ** 30).toFixed(1)} GiB`;
  throw new NewBieError(
    `${folder}: ${what} take ${gib(bytes)}, but the disk has ${
      gib(free)
    } left. Make room, ${remedy}`,
  );
}
