/** One file's checksum, taken piece by piece. */
import { createHash } from "node:crypto";
import { type FileHandle, open, stat } from "node:fs/promises";
import { NewBieError } from "../errors.ts";
import type { Texts } from "../language.ts";
import { reasonOf } from "../system_reason.ts";
import { requireFile } from "../whole_file.ts";

/** How to take a checksum. */
export interface HashFileOptions {
  /** Ends the reading; what is thrown then is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Is told of each piece how many bytes it had. */
  readonly onBytes?: ((count: number) => void) | undefined;
}

/** A file's SHA-256 in hexadecimal, or why there is none, in a sentence that names it. */
export type HashOutcome =
  | { readonly sha256: string; readonly problem?: never }
  | { readonly problem: Texts<string>; readonly sha256?: never };

/** What tells a file from what it was before, without reading it. */
export interface FileIdentity {
  readonly bytes: number;
  /** Size, disk, inode, and the time of the last write. */
  readonly content: string;
  /** Size, disk, inode, and the times of the last write and of the last change of any kind. */
  readonly identity: string;
  /** Whether it has been left alone for long enough for the times to tell. */
  readonly isSettled: boolean;
}

/**
 * Times of change are known to the second. A file that was changed a moment ago may change once more
 * without a trace.
 */
const SETTLED_AFTER_MS = 2000;

/** How often to begin again when a file's status changes meanwhile. */
const MOST_ATTEMPTS = 3;

/** At once in memory; large enough that reading keeps up with hashing. */
const CHUNK_BYTES = 1 << 22;

/** Tells what a file is now. */
export async function identify(path: string): Promise<FileIdentity> {
  const { size, dev, ino, mtimeMs, ctimeMs, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  const changed = Number(mtimeMs > ctimeMs ? mtimeMs : ctimeMs);
  return {
    bytes: Number(size),
    content: [size, dev, ino, mtimeNs].join(" "),
    identity: [size, dev, ino, mtimeNs, ctimeNs].join(" "),
    isSettled: Date.now() - changed > SETTLED_AFTER_MS,
  };
}

/**
 * A file's SHA-256 in hexadecimal. Other work goes on between the pieces.
 *
 * @throws {NewBieError} When the file changes while it is read.
 * @throws The signal's reason, when it was aborted.
 * @throws {UnfitFileError} When it is a pipe or a device.
 * @throws {Error} What the file system reports.
 */
export async function hashFile(path: string, options: HashFileOptions = {}): Promise<string> {
  for (let attempt = 1;; attempt++) {
    const before = await identify(path);
    await requireFile(path);
    const file = await open(path);
    let sha256: string;
    try {
      sha256 = await hashAll(file, options);
    } finally {
      await file.close();
    }
    const after = await identify(path);
    if (after.identity === before.identity) return sha256;
    // A new name for the same file, as package managers give it, changes its status alone.
    const isWritten = after.content !== before.content;
    if (isWritten || attempt === MOST_ATTEMPTS) throw changedMeanwhile(path);
  }
}

function changedMeanwhile(path: string): NewBieError {
  return new NewBieError(
    `${path} was changed while its checksum was taken. Wait until it is complete, and try again.`,
    { zh: `${path} 在计算校验值期间发生了变化。请等它写完后再试。` },
  );
}

/**
 * As {@linkcode hashFile}, but what goes wrong with the file is returned.
 *
 * @throws The signal's reason, when it was aborted.
 */
export async function hashOutcome(path: string, options: HashFileOptions): Promise<HashOutcome> {
  try {
    return { sha256: await hashFile(path, options) };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof NewBieError) {
      return { problem: { en: error.message, zh: error.explain("zh") } };
    }
    const { en, zh } = reasonOf(error);
    return { problem: { en: `${path} cannot be read: ${en}.`, zh: `无法读取 ${path}：${zh}。` } };
  }
}

/** The next piece is read while one is hashed, so that the slower of the two sets the pace. */
async function hashAll(file: FileHandle, { signal, onBytes }: HashFileOptions): Promise<string> {
  const hash = createHash("sha256");
  let [chunk, next] = [new Uint8Array(CHUNK_BYTES), new Uint8Array(CHUNK_BYTES)];
  const read = (into: Uint8Array) => file.read(into, 0, into.length, null);
  let reading = read(chunk);
  while (true) {
    const { bytesRead } = await reading;
    signal?.throwIfAborted();
    if (bytesRead === 0) return hash.digest("hex");
    reading = read(next);
    // An error is reported in the next round; here it must not end the process.
    reading.catch(() => {});
    hash.update(chunk.subarray(0, bytesRead));
    onBytes?.(bytesRead);
    [chunk, next] = [next, chunk];
  }
}
