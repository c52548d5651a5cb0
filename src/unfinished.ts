/**
 * Files and folders under way: each has a temporary name until all of it is on the disk.
 *
 * A process that is killed cannot tidy up. So each holds a lock on what it writes, which the system
 * lets go of however the process ends; whoever writes into the same folder next removes what bears a
 * name of this module's making and is locked by nobody.
 *
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import { link, open, rename } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { NewBieError } from "./errors.ts";

/** The folder that temporary files lie in where they may not lie beside their places. */
const SCRATCH = ".tmp";

const RANDOM_BYTES = 8;
const CHECK_DIGITS = 8;
/** What is added has room in the 255 bytes that a name may have. */
const LONGEST_NAME_BYTES = 200;
const TEMPORARY_NAME = /^\.(.+)\.([0-9a-f]{16})([0-9a-f]{8})\.tmp$/su;
/** How often to begin again when another process takes a folder or a new file away. */
const MOST_ATTEMPTS = 20;

/** Where a temporary file lies. */
export interface UnfinishedFileOptions {
  /**
   * The folder in whose `.tmp` the file lies until it is whole, on the same disk; for tasks that may
   * write to few paths. By default it lies beside its place.
   */
  readonly scratchIn?: string | undefined;
  /** The permissions of a new file, less the process's umask. @default {0o666} */
  readonly mode?: number | undefined;
}

/**
 * A file under a temporary name, which nobody else has. It gets its own name by
 * {@linkcode UnfinishedFile.keep} or {@linkcode UnfinishedFile.keepNew}; without, it is gone in the
 * end.
 */
export class UnfinishedFile implements AsyncDisposable {
  /** Its temporary path. */
  readonly path: string;
  readonly #target: string;
  readonly #file: Deno.FsFile;
  #isKept = false;

  private constructor(target: string, path: string, file: Deno.FsFile) {
    this.#target = target;
    this.path = path;
    this.#file = file;
    underWay.add(path);
  }

  /**
   * Makes an empty file, and removes what killed processes left beside it.
   *
   * @param target The path that it will get.
   * @throws {Error} What the file system reports, such as a missing folder.
   */
  static async create(
    target: string,
    { scratchIn, mode = 0o666 }: UnfinishedFileOptions = {},
  ): Promise<UnfinishedFile> {
    const scratch = scratchIn === undefined ? undefined : join(scratchIn, SCRATCH);
    const folder = scratch ?? dirname(target);
    await removeUnfinishedOnce(folder);
    for (let attempt = 1;; attempt++) {
      const path = join(folder, temporaryName(basename(target)));
      try {
        if (scratch !== undefined) await makeFolder(scratch);
        const file = await Deno.open(path, { read: true, write: true, createNew: true, mode });
        if (await hold(path, file)) return new UnfinishedFile(target, path, file);
        file.close();
      } catch (error) {
        // Another process may have removed the empty scratch folder just now.
        const mayRepeat = scratch !== undefined && error instanceof Deno.errors.NotFound;
        if (!mayRepeat || attempt === MOST_ATTEMPTS) throw error;
      }
      if (attempt === MOST_ATTEMPTS) throw takenAway(path);
    }
  }

  /** Adds bytes at the end. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) done += await this.#file.write(bytes.subarray(done));
  }

  /** Brings all of it to the disk; then the file has its name, and what had the name is gone. */
  async keep(): Promise<void> {
    await this.#file.sync();
    await rename(this.path, this.#target);
    this.#isKept = true;
    underWay.delete(this.path);
  }

  /**
   * As {@linkcode UnfinishedFile.keep}, but nothing is ever replaced.
   *
   * @param path Another name than the one it was made for, in the same folder.
   * @returns False when something has the name already.
   */
  async keepNew(path = this.#target): Promise<boolean> {
    await this.#file.sync();
    try {
      await link(this.path, path);
      return true;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      if (!NO_LINKS.includes(codeOf(error))) throw error;
    }
    // A file system without links, such as exFAT: an empty file takes the name first, so that no
    // other file can be replaced.
    try {
      await (await open(path, "wx")).close();
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      throw error;
    }
    await rename(this.path, path);
    this.#isKept = true;
    underWay.delete(this.path);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isKept) await remove(this.path);
    underWay.delete(this.path);
    this.#file.close();
    const folder = dirname(this.path);
    // Not empty while others write there.
    if (basename(folder) === SCRATCH) await Deno.remove(folder).catch(() => {});
  }
}

/** A folder under a temporary name; otherwise as {@linkcode UnfinishedFile}. */
export class UnfinishedFolder implements AsyncDisposable {
  /** Its temporary path. */
  readonly path: string;
  readonly #target: string;
  readonly #lock: Deno.FsFile | undefined;
  #isKept = false;

  private constructor(target: string, path: string, lock: Deno.FsFile | undefined) {
    this.#target = target;
    this.path = path;
    this.#lock = lock;
    underWay.add(path);
  }

  /**
   * Makes an empty folder, and removes what killed processes left beside it.
   *
   * @param target The path that it will get; the folders above are made where they are missing.
   * @throws {Error} What the file system reports.
   */
  static async create(target: string): Promise<UnfinishedFolder> {
    const absolute = resolve(target);
    const above = dirname(absolute);
    await Deno.mkdir(above, { recursive: true });
    await removeUnfinishedOnce(above);
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      const path = join(above, temporaryName(basename(absolute)));
      await Deno.mkdir(path);
      let lock: Deno.FsFile;
      try {
        lock = await Deno.open(path);
      } catch {
        // A system that opens no folders: nobody can lock this one, so nobody will remove it.
        if (await isThere(path)) return new UnfinishedFolder(absolute, path, undefined);
        continue;
      }
      if (await hold(path, lock)) return new UnfinishedFolder(absolute, path, lock);
      lock.close();
    }
    throw takenAway(target);
  }

  /**
   * Gives the folder its name. What is in it should be on the disk already.
   *
   * @returns False when something has the name already.
   */
  async keep(): Promise<boolean> {
    try {
      await rename(this.path, this.#target);
    } catch (error) {
      // Windows says of what is there that it may not be replaced.
      if (["ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(codeOf(error))) return false;
      if (codeOf(error) === "EPERM" && await isThere(this.#target)) return false;
      throw error;
    }
    this.#isKept = true;
    underWay.delete(this.path);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isKept) await remove(this.path);
    underWay.delete(this.path);
    this.#lock?.close();
  }
}

/** The temporary files and folders of this process. */
const underWay = new Set<string>();

/** Removes all that this process has under way, at once: it is about to end. */
export function discardUnfinished(): void {
  for (const path of underWay) {
    try {
      Deno.removeSync(path, { recursive: true });
    } catch {
      // Gone, or held by a system that removes nothing open: whoever writes here next tidies up.
    }
  }
}

/** Whether another process writes the file or folder of a path just now. */
export async function isUnderWay(target: string): Promise<boolean> {
  const absolute = resolve(target);
  const name = shortened(basename(absolute));
  for (const path of await temporaryPathsIn(dirname(absolute))) {
    if (nameIn(basename(path)) !== name) continue;
    using lock = await Deno.open(path).catch(() => undefined);
    if (lock !== undefined && await lock.tryLock(true).catch(() => true) === false) return true;
  }
  return false;
}

/**
 * Removes what killed processes left in a folder: files and folders with names of this module's
 * making that no process has locked. What cannot be removed stays.
 */
export async function removeUnfinished(folder: string): Promise<void> {
  await Promise.all((await temporaryPathsIn(folder)).map(removeIfLeft));
  if (basename(folder) === SCRATCH) await Deno.remove(folder).catch(() => {});
}

/** Whether a name is one that this module gives. */
export function isTemporaryName(name: string): boolean {
  return nameIn(name) !== undefined;
}

/** The folders that this process has tidied. */
const tidied = new Set<string>();

async function removeUnfinishedOnce(folder: string): Promise<void> {
  const path = resolve(folder);
  if (tidied.has(path)) return;
  tidied.add(path);
  await removeUnfinished(path);
}

async function removeIfLeft(path: string): Promise<void> {
  try {
    const { isFile, isDirectory } = await Deno.lstat(path);
    if (!isFile && !isDirectory) return;
    using lock = await Deno.open(path);
    if (!await lock.tryLock(true)) return;
    if (await isStill(path, lock)) await Deno.remove(path, { recursive: true });
  } catch {
    // Another's, or gone.
  }
}

/** Takes the lock of a new file; false when another process took it before, or took the file away. */
async function hold(path: string, file: Deno.FsFile): Promise<boolean> {
  // Where nothing can be locked, nobody removes what is locked by nobody.
  const isFree = await file.tryLock(true).catch(() => true);
  return isFree && await isStill(path, file);
}

/** Whether a path still leads to an open file. */
async function isStill(path: string, file: Deno.FsFile): Promise<boolean> {
  const [found, { dev, ino }] = await Promise.all([
    Deno.lstat(path).catch(() => undefined),
    file.stat(),
  ]);
  return found !== undefined && found.dev === dev && found.ino === ino;
}

async function temporaryPathsIn(folder: string): Promise<string[]> {
  const paths: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (isTemporaryName(name)) paths.push(join(folder, name));
    }
  } catch {
    // Not there, or not to be read.
  }
  return paths;
}

/** A name that nobody can guess, and that only this module gives. */
function temporaryName(name: string): string {
  const short = shortened(name);
  const random = randomBytes(RANDOM_BYTES).toString("hex");
  return `.${short}.${random}${checkOf(short, random)}.tmp`;
}

/** The name that a temporary one was made of; undefined for any other name. */
function nameIn(temporary: string): string | undefined {
  const [, name, random, check] = TEMPORARY_NAME.exec(temporary) ?? [];
  if (name === undefined || random === undefined) return undefined;
  return checkOf(name, random) === check ? name : undefined;
}

/** Tells names of ours from others that happen to look alike. */
function checkOf(name: string, random: string): string {
  const hash = createHash("sha256").update(`unfinished\0${name}\0${random}`);
  return hash.digest("hex").slice(0, CHECK_DIGITS);
}

function shortened(name: string): string {
  const encoder = new TextEncoder();
  let short = name;
  while (encoder.encode(short).length > LONGEST_NAME_BYTES) {
    short = [...short].slice(0, -1).join("");
  }
  return short;
}

async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** How file systems say that they have no links. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EISDIR"];

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}

function takenAway(path: string): NewBieError {
  return new NewBieError({
    en: `${path} cannot be written: another program removes it again and again.`,
    zh: `无法写入 ${path}：另一个程序反复删除它。`,
  });
}
