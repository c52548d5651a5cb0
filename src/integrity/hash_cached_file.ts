import { ChecksumCache } from "./checksum_cache.ts";
import { hashFile } from "./hash_file.ts";

/**
 * A file's SHA-256, as a cache remembers it; else it is read, and remembered.
 *
 * @param cacheFile The cache's file; without one nothing is remembered.
 * @throws {NewBieError} When the file changes while it is read.
 * @throws {Error} What the file system reports.
 */
export async function hashCachedFile(
  path: string,
  cacheFile: string | undefined,
  { isStrict = false }: { /** Whether it is read even so. */ readonly isStrict?: boolean } = {},
): Promise<string> {
  const cache = await ChecksumCache.open(cacheFile);
  const found = await cache.find(path);
  if (found.sha256 !== undefined && !isStrict) return found.sha256;
  const sha256 = await hashFile(path);
  if (found.sha256 !== sha256) {
    cache.remember(path, found, sha256);
    await cache.save();
  }
  return sha256;
}
