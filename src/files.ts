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
 * @throws {Error} What the file system reports, such as a missing folder or a full disk.
 */
export async function writeFileAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  // Fails if the name is taken, before there is anything to remove.
  const file = await open(temporary, "wx");
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
