import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readFile, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { z } from "zod";
import { NewBieError } from "../errors.ts";
import { writeFileAtomically } from "../files.ts";

/** How to hash weights. */
export interface HashWeightsOptions {
  /**
   * A JSON file that remembers checksums between processes, by path and by all that changes when a
   * file does: size, inode, and the times of the last write and of the last change of any kind. It
   * is made when it is missing, and done without when it cannot be read or written.
   */
  readonly cacheFile?: string | undefined;
  /** Ends the reading; what is thrown then is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Times of change are known to the second. A file that was changed a moment ago may change once more
 * without a trace, so its checksum is not remembered.
 */
const SETTLED_AFTER_MS = 2000;

/** At once in memory; large enough that reading keeps up with hashing. */
const CHUNK_BYTES = 1 << 22;

const cacheSchema = z.record(
  z.string(),
  z.object({ identity: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
);
type Cache = z.infer<typeof cacheSchema>;

/**
 * The SHA-256 of a model's weights: of one file what `sha256sum` prints and Hugging Face shows, of
 * several (shards) the SHA-256 of what `sha256sum` prints for all of them in the order of their
 * names.
 *
 * Files are read in pieces, and other work goes on between them: begin early and await it late.
 *
 * @param paths One file or more.
 * @returns 64 hexadecimal digits.
 * @throws {NewBieError} When a file changes while it is read.
 * @throws The signal's reason, when it was aborted.
 * @throws {Error} What the file system reports.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const file = await Deno.makeTempFile();
 * await Deno.writeTextFile(file, "abc");
 * assert(/^ba7816bf8f01cfea/.test(await hashWeights([file])));
 * await Deno.remove(file);
 * ```
 */
export async function hashWeights(
  paths: readonly string[],
  options: HashWeightsOptions = {},
): Promise<string> {
  const { cacheFile, signal } = options;
  const cache = cacheFile === undefined ? {} : await readCache(cacheFile);
  const sums: { name: string; sha256: string }[] = [];
  let isNew = false;
  // One after the other: two at a time would only make a disk seek.
  for (const path of paths) {
    const key = resolve(path);
    const { identity, isSettled } = await identify(path);
    const cached = cache[key]?.identity === identity ? cache[key].sha256 : undefined;
    const sha256 = cached ?? await hashFile(path, signal);
    if (isSettled && cached === undefined) {
      cache[key] = { identity, sha256 };
      isNew = true;
    }
    sums.push({ name: basename(path), sha256 });
  }
  if (cacheFile !== undefined && isNew) await writeCache(cacheFile, cache);
  const [only, ...more] = sums;
  if (only !== undefined && more.length === 0) return only.sha256;
  const inOrder = sums.sort((a, b) => a.name < b.name ? -1 : 1);
  const list = inOrder.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
  return createHash("sha256").update(list).digest("hex");
}

async function identify(path: string): Promise<{ identity: string; isSettled: boolean }> {
  const { size, ino, mtimeMs, ctimeMs } = await stat(path);
  return {
    identity: [size, ino, mtimeMs, ctimeMs].join(" "),
    isSettled: Date.now() - Math.max(mtimeMs, ctimeMs) > SETTLED_AFTER_MS,
  };
}

async function hashFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const before = await identify(path);
  const file = await open(path);
  let sha256: string;
  try {
    sha256 = await hashAll(file, signal);
  } finally {
    await file.close();
  }
  const after = await identify(path);
  if (after.identity === before.identity) return sha256;
  throw new NewBieError(
    `${path} was changed while its checksum was taken. Wait until it is complete, and try again.`,
    { zh: `${path} 在计算校验和时被改动。请等它写完后再试。` },
  );
}

async function hashAll(file: FileHandle, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  const chunk = new Uint8Array(CHUNK_BYTES);
  while (true) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(chunk, 0, chunk.length, null);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(chunk.subarray(0, bytesRead));
  }
}

/** Whatever is wrong with it: a cache can be made again. */
async function readCache(path: string): Promise<Cache> {
  try {
    return cacheSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return {};
  }
}

/** Whatever goes wrong: next time it takes longer, that is all. */
async function writeCache(path: string, cache: Cache): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFileAtomically(path, new TextEncoder().encode(JSON.stringify(cache, null, 2)));
  } catch {
    // Nothing to do.
  }
}
