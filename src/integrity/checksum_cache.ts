/** Checksums remembered between processes, in a JSON file. */
import { lstat, mkdir, readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import * as z from "zod";
import { writeFileAtomically } from "../files.ts";
import { type FileIdentity, identify } from "./hash_file.ts";

const schema = z.record(
  z.string(),
  z.object({ identity: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
);

/** A file as the cache knows it. */
export interface CachedFile extends FileIdentity {
  /** Its checksum, where it is remembered and the file is still the same. */
  readonly sha256?: string;
}

/**
 * Remembers checksums by path and by all that changes when a file does. Without a path it forgets
 * everything.
 *
 * What it says is believed in place of reading gigabytes, so nobody else may write it: the file has
 * to be a plain one, it and its folder must have the same owner and not be writable for anyone else,
 * or it is neither read nor written. Whoever may write as that owner is not kept out.
 */
export class ChecksumCache {
  readonly #path: string | undefined;
  readonly #entries: z.infer<typeof schema>;
  #isNew = false;

  private constructor(path: string | undefined, entries: z.infer<typeof schema>) {
    this.#path = path;
    this.#entries = entries;
  }

  /** A cache that cannot be read is made again, whatever is wrong with it. */
  static async open(path: string | undefined): Promise<ChecksumCache> {
    if (path === undefined) return new ChecksumCache(path, {});
    try {
      if (!await isOwnersAlone(path)) return new ChecksumCache(path, {});
      return new ChecksumCache(path, schema.parse(JSON.parse(await readFile(path, "utf8"))));
    } catch {
      return new ChecksumCache(path, {});
    }
  }

  /** @throws {Error} What the file system reports of the file. */
  async find(file: string): Promise<CachedFile> {
    const found = await identify(file);
    const entry = this.#entries[resolve(file)];
    return entry?.identity === found.identity ? { ...found, sha256: entry.sha256 } : found;
  }

  /** Remembers a checksum, but not that of a file which was changed a moment ago. */
  remember(file: string, { identity, isSettled }: FileIdentity, sha256: string): void {
    if (!isSettled) return;
    this.#entries[resolve(file)] = { identity, sha256 };
    this.#isNew = true;
  }

  /** If this fails, the next start only takes longer. */
  async save(): Promise<void> {
    if (this.#path === undefined || !this.#isNew) return;
    try {
      const folder = dirname(this.#path);
      await makeFolder(folder);
      if ((await stat(folder)).mode & OTHERS_MAY_WRITE && !IS_WINDOWS) return;
      const text = JSON.stringify(this.#entries, null, 2);
      const bytes = new TextEncoder().encode(text);
      await writeFileAtomically(this.#path, bytes, { mode: FILE_MODE });
    } catch {
      // Nothing to do.
    }
  }
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const OTHERS_MAY_WRITE = 0o022;
/** On Windows a file's mode does not say who may write to it. */
const IS_WINDOWS = Deno.build.os === "windows";

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: FOLDER_MODE });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT") throw error;
    await mkdir(dirname(folder), { recursive: true });
    await mkdir(folder, { mode: FOLDER_MODE });
  }
}

/** @throws {Error} When the file is not there. */
async function isOwnersAlone(path: string): Promise<boolean> {
  const [file, folder] = await Promise.all([lstat(path), stat(dirname(path))]);
  if (!file.isFile()) return false;
  return IS_WINDOWS ||
    file.uid === folder.uid && ((file.mode | folder.mode) & OTHERS_MAY_WRITE) === 0;
}
