import { fillFrom } from "../files.ts";
import { shortenedError } from "./shortened_error.ts";
import type { StoredTensor, TensorEntry } from "./types.ts";

/**
 * Reads some of a tensor's bytes as they lie in its file.
 *
 * @param from Which of its bytes is the first.
 * @param into Where they go; it is filled.
 * @throws {SafetensorsError} When the file became shorter.
 * @throws {Error} What the system reports when it cannot be opened or read.
 */
export async function readPart(
  entry: Pick<TensorEntry, "name"> & StoredTensor,
  from: number,
  into: Uint8Array,
): Promise<void> {
  using file = await Deno.open(entry.file);
  await file.seek(entry.offset + from, Deno.SeekMode.Start);
  if (await fillFrom(file, into) < into.length) throw shortenedError(entry);
}
