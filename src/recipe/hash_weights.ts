import { createHash } from "node:crypto";
import { basename } from "node:path";
import { ChecksumCache, hashFile } from "../integrity/mod.ts";

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
  const cache = await ChecksumCache.open(cacheFile);
  const sums: { name: string; sha256: string }[] = [];
  // One after the other: this goes on beside the first picture, which needs the cores.
  for (const path of paths) {
    const found = await cache.find(path);
    const sha256 = found.sha256 ?? await hashFile(path, { signal });
    if (found.sha256 === undefined) cache.remember(path, found, sha256);
    sums.push({ name: basename(path), sha256 });
  }
  await cache.save();
  const [only, ...more] = sums;
  if (only !== undefined && more.length === 0) return only.sha256;
  const inOrder = sums.sort((a, b) => a.name < b.name ? -1 : 1);
  const list = inOrder.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
  return createHash("sha256").update(list).digest("hex");
}
