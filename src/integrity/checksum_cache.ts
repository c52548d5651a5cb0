/** Checksums remembered between processes, in a JSON file. */
import { mkdir, readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
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
 */
export class ChecksumCache {
  readonly #path: string | undefined;
  readonly #entries: z.infer<typeof schema>;
  #isNew = false;

  private constructor(path: string | undefined, entries: z.infer<typeof schema>) {
    this.#path = path;
    this.#entries = entries;
  }

  /** Whatever is wrong with the file: a cache can be made again. */
  static async open(path: string | undefined): Promise<ChecksumCache> {
    if (path === undefined) return new ChecksumCache(path, {});
    try {
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

  /** Whatever goes wrong: next time it takes longer, that is all. */
  async save(): Promise<void> {
    if (this.#path === undefined || !this.#isNew) return;
    try {
      await mkdir(dirname(this.#path), { recursive: true });
      const text = JSON.stringify(this.#entries, null, 2);
      await writeFileAtomically(this.#path, new TextEncoder().encode(text));
    } catch {
      // Nothing to do.
    }
  }
}
