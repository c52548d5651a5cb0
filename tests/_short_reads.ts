/** Reads that give less than was asked for, as the system may at any time. */
import { open } from "node:fs/promises";

/** Fewer than the longest magic number has. */
const MOST_BYTES = 3;

/** Does the work while no read of an open file gives more than three bytes. */
export async function withShortReads<T>(work: () => Promise<T>): Promise<T> {
  const file = await open(new URL(import.meta.url));
  const handles: { read: (...args: [Uint8Array, number, number, number | null]) => unknown } =
    Object.getPrototypeOf(file);
  await file.close();
  const files = Deno.FsFile.prototype;
  const { read } = files;
  const { read: readAt } = handles;
  files.read = function (bytes) {
    return read.call(this, bytes.subarray(0, MOST_BYTES));
  };
  handles.read = function (bytes, offset, length, position) {
    return readAt.call(this, bytes, offset, Math.min(length, MOST_BYTES), position);
  };
  try {
    return await work();
  } finally {
    files.read = read;
    handles.read = readAt;
  }
}
