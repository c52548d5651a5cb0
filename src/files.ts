/**
 * Writing files so that nobody ever sees half of one.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

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
  temporary ??= join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  const file = await open(temporary, mayExist ? "w" : "wx");
  try {
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
