import { elementCount } from "../tensor.ts";
import { type TensorBytes, writeTensorFile } from "../write_tensor_file.ts";
import { bytesPerValue } from "./_dtypes.ts";
import { METADATA, PREFIX_BYTES } from "./header.ts";
import type { WeightDtype } from "./types.ts";

/** A tensor to be written, and where its bytes come from. */
export interface TensorSource {
  readonly name: string;
  readonly dtype: WeightDtype;
  readonly shape: readonly number[];
  /** The values, little-endian and row-major, in pieces of any length; asked for once. */
  readonly bytes: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** Where the data begins is a multiple of this: what every dtype's values can be read at. */
const ALIGNMENT = 8;

/**
 * Writes a safetensors file, one piece of one tensor at a time: nothing is held but the header. The
 * bytes go to a temporary file of the same folder, which takes the name when all of it is on disk,
 * so that nobody ever sees half a file. After a failure the temporary file is gone.
 *
 * @param path The file; one that has the name is replaced.
 * @param tensors The tensors, in the order of their data.
 * @param metadata The free text of `__metadata__`.
 * @returns How many bytes the file has.
 * @throws {RangeError} When a source gives more or fewer bytes than its dtype and shape ask for.
 * @throws {Error} What the file system or a source reports.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { openWeights } from "./open_weights.ts";
 *
 * const folder = await Deno.makeTempDir();
 * await writeSafetensors(`${folder}/model.safetensors`, [{
 *   name: "one",
 *   dtype: "BF16",
 *   shape: [2, 1],
 *   bytes: () => [Uint8Array.of(0x80, 0x3f), Uint8Array.of(0x80, 0x3f)],
 * }]);
 * const { tensors } = await openWeights(folder);
 * assert.deepEqual(tensors.get("one")?.shape, [2, 1]);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<number> {
  const header = headerBytes(tensors, metadata);
  return await writeTensorFile(path, header, tensors.map(sized));
}

function sized(tensor: TensorSource): TensorBytes {
  return { ...tensor, byteLength: byteLengthOf(tensor) };
}

/** How many bytes the file of these tensors has. */
export function safetensorsByteLength(
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>> = {},
): number {
  return tensors.reduce(
    (sum, tensor) => sum + byteLengthOf(tensor),
    headerBytes(tensors, metadata).length,
  );
}

/** The header with its length before it, filled up with spaces, as the format allows. */
function headerBytes(
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  let end = 0;
  const entries = tensors.map((tensor) => {
    const begin = end;
    end += byteLengthOf(tensor);
    const { name, dtype, shape } = tensor;
    return `${JSON.stringify(name)}:${
      JSON.stringify({ dtype, shape, data_offsets: [begin, end] })
    }`;
  });
  const members = [`${JSON.stringify(METADATA)}:${JSON.stringify(metadata)}`, ...entries];
  const json = new TextEncoder().encode(`{${members.join(",")}}`);
  const length = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(PREFIX_BYTES + length).fill(" ".charCodeAt(0));
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, PREFIX_BYTES);
  return bytes;
}

function byteLengthOf({ dtype, shape }: TensorSource): number {
  return elementCount(shape) * bytesPerValue(dtype);
}
