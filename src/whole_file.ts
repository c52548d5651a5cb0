/**
 * Files that are read whole, and may have been laid there by somebody else.
 *
 * @module
 */

import type { Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { formatBytes } from "./format_bytes.ts";
import type { Texts } from "./language.ts";

/** What is under a path is no file, or one that is too large. */
export class UnfitFileError extends Error {
  override name = "UnfitFileError";
  readonly path: string;
  /** Goes on from "cannot be read:" as well as from a path and a colon. */
  readonly reason: Texts<string>;

  constructor(path: string, reason: Texts<string>) {
    super(`${path}: ${reason.en}`);
    this.path = path;
    this.reason = reason;
  }
}

/** How to read a file whole. */
export interface ReadWholeOptions {
  /**
   * Whether a pipe will do, such as a shell's `<(…)`. What a person names may be one; in a folder, whoever
   * asks a pipe without a writer waits for ever.
   *
   * @default {false}
   */
  readonly mayBePipe?: boolean;
  /** The most bytes that are taken. @default {2 ** 30} */
  readonly most?: number;
}

const MOST_BYTES = 2 ** 30;
const CHUNK_BYTES = 1 << 20;

/**
 * The bytes of a file; never more than some, and not those of a device, which have no end.
 *
 * @throws {UnfitFileError} When it is no file, or larger.
 * @throws {Error} What the file system reports.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal((await readWhole("LICENSE"))[0], "M".charCodeAt(0));
 * await assert.rejects(readWhole("LICENSE", { most: 2 }), /larger than 2 B/);
 * ```
 */
export async function readWhole(
  path: string,
  { mayBePipe = false, most = MOST_BYTES }: ReadWholeOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  // Looked at before it is opened: to open a pipe is to wait for its writer.
  const found = await stat(path);
  refuseUnfit(path, found, mayBePipe);
  if (found.size > most) throw tooLarge(path, most);
  const file = await open(path);
  try {
    return await readAll(path, file, found.isFile() ? found.size : 0, most);
  } finally {
    await file.close();
  }
}

/** The same as text in UTF-8, with its mark where it has one; what is no text becomes U+FFFD. */
export async function readWholeText(path: string, options?: ReadWholeOptions): Promise<string> {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await readWhole(path, options));
}

/**
 * Looks whether there is a file under a path, which can be read to its end.
 *
 * @throws {UnfitFileError} When it is a pipe, a device or a socket; a folder is told of when it is opened.
 * @throws {Error} What the file system reports.
 */
export async function requireFile(path: string): Promise<void> {
  refuseUnfit(path, await stat(path), false);
}

function refuseUnfit(path: string, found: Stats, mayBePipe: boolean): void {
  if (found.isFile() || found.isDirectory() || mayBePipe && found.isFIFO()) return;
  throw new UnfitFileError(path, {
    en: "it is a pipe, a device or a socket, not a file",
    zh: "它是管道、设备或套接字，不是文件",
  });
}

function tooLarge(path: string, most: number): UnfitFileError {
  const bytes = formatBytes(most);
  return new UnfitFileError(path, { en: `it is larger than ${bytes}`, zh: `它大于 ${bytes}` });
}

/** @param size What to expect; a pipe has none. */
async function readAll(
  path: string,
  file: FileHandle,
  size: number,
  most: number,
): Promise<Uint8Array<ArrayBuffer>> {
  // One more than there should be: the end is met without a second piece.
  let bytes = new Uint8Array(Math.min(size, most) + 1);
  let filled = 0;
  for (;;) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, null);
    if (bytesRead === 0) return bytes.subarray(0, filled);
    filled += bytesRead;
    if (filled > most) throw tooLarge(path, most);
    if (filled < bytes.length) continue;
    const longer = new Uint8Array(Math.min(Math.max(2 * filled, CHUNK_BYTES), most + 1));
    longer.set(bytes);
    bytes = longer;
  }
}
