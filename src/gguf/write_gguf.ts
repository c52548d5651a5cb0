import { writeTensorFile } from "../write_tensor_file.ts";
import { TENSOR_TYPES, typeNumber } from "./tensor_types.ts";

/** A tensor to be written, and where its bytes come from. */
export interface GgufTensorSource {
  readonly name: string;
  /** ggml's word: `F32`, `Q8_0`… */
  readonly type: string;
  /** The extents, outermost first. */
  readonly shape: readonly number[];
  /** The values as the type stores them, in pieces of any length; asked for once. */
  readonly bytes: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** Entries of metadata: texts, whole numbers of 32 bits, truth values, numbers with a point. */
export type GgufMetadata = Readonly<
  Record<string, string | number | boolean | { readonly float32: number }>
>;

const VERSION = 3;
const ALIGNMENT = 32;
const UINT32 = 4;
const FLOAT32 = 6;
const BOOLEAN = 7;
const STRING = 8;

/**
 * Writes a GGUF file, one piece of one tensor at a time. The bytes go to a temporary file of the same
 * folder, which takes the name when all of it is on disk; after a failure it is gone.
 *
 * @param path The file; one that has the name is replaced.
 * @returns How many bytes the file has.
 * @throws {RangeError} When a source gives more or fewer bytes than its type and shape ask for.
 * @throws {Error} What the file system or a source reports.
 */
export async function writeGguf(
  path: string,
  tensors: readonly GgufTensorSource[],
  metadata: GgufMetadata,
): Promise<number> {
  const sized = tensors.map((tensor) => ({ ...tensor, byteLength: byteLengthOf(tensor) }));
  return await writeTensorFile(path, headerBytes(tensors, metadata), sized, ALIGNMENT);
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function byteLengthOf({ type, shape }: GgufTensorSource): number {
  const { blockValues, blockBytes } = TENSOR_TYPES.get(typeNumber(type))!;
  return shape.reduce((count, extent) => count * extent, 1) / blockValues * blockBytes;
}

function headerBytes(tensors: readonly GgufTensorSource[], metadata: GgufMetadata): Uint8Array {
  const parts: Uint8Array[] = [];
  const uint32 = (value: number) => parts.push(new Uint8Array(Uint32Array.of(value).buffer));
  const uint64 = (value: number) =>
    parts.push(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  const text = (value: string) => {
    const bytes = new TextEncoder().encode(value);
    uint64(bytes.length);
    parts.push(bytes);
  };
  parts.push(new TextEncoder().encode("GGUF"));
  uint32(VERSION);
  uint64(tensors.length);
  const entries = Object.entries(metadata);
  uint64(entries.length);
  for (const [key, value] of entries) {
    text(key);
    if (typeof value === "string") {
      uint32(STRING);
      text(value);
    } else if (typeof value === "boolean") {
      uint32(BOOLEAN);
      parts.push(Uint8Array.of(Number(value)));
    } else if (typeof value === "number") {
      uint32(UINT32);
      uint32(value);
    } else {
      uint32(FLOAT32);
      parts.push(new Uint8Array(Float32Array.of(value.float32).buffer));
    }
  }
  let offset = 0;
  for (const tensor of tensors) {
    text(tensor.name);
    uint32(tensor.shape.length);
    for (const extent of tensor.shape.toReversed()) uint64(extent);
    uint32(typeNumber(tensor.type));
    uint64(offset);
    offset += aligned(byteLengthOf(tensor));
  }
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let place = 0;
  for (const part of parts) {
    bytes.set(part, place);
    place += part.length;
  }
  return bytes;
}
