import { stat, statfs } from "node:fs/promises";
import { NewBieError, RequestError } from "../errors.ts";

/**
 * Refuses a path that is taken: weights are never overwritten.
 *
 * @throws {RequestError} When a file or folder is there already.
 */
export async function refuseExisting(path: string): Promise<void> {
  if (!await stat(path).then(() => true, () => false)) return;
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
