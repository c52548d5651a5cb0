import { UnfinishedFile } from "./unfinished.ts";

/** A tensor's share of a file of weights. */
export interface TensorBytes {
  readonly name: string;
  readonly byteLength: number;
  /** In pieces of any length; asked for once. */
  readonly bytes: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/**
 * Writes a header and tensors behind it, one piece of one tensor at a time. The bytes go to a
 * temporary file of the same folder, which takes the name when all of it is on disk, so that nobody
 * ever sees half a file; after a failure it is gone.
 *
 * @param path The file; one that has the name is replaced.
 * @param alignment Of the header's end and of each tensor's, in bytes: filled up with zeros.
 * @returns How many bytes the file has.
 * @throws {RangeError} When a tensor gives more or fewer bytes than it has.
 * @throws {Error} What the file system or a tensor's source reports.
 */
export async function writeTensorFile(
  path: string,
  header: Uint8Array,
  tensors: readonly TensorBytes[],
  alignment = 1,
): Promise<number> {
  await using file = await UnfinishedFile.create(path);
  let written = 0;
  const write = async (bytes: Uint8Array) => {
    await file.write(bytes);
    written += bytes.length;
  };
  const fill = async () => {
    const beyond = written % alignment;
    if (beyond > 0) await write(new Uint8Array(alignment - beyond));
  };
  await write(header);
  await fill();
  for (const { name, byteLength, bytes } of tensors) {
    const start = written;
    for await (const piece of bytes()) await write(piece);
    if (written - start !== byteLength) {
      throw new RangeError(
        `Tensor ${name} takes ${byteLength} bytes, but its source gave ${written - start}.`,
      );
    }
    await fill();
  }
  await file.keep();
  return written;
}
