/**
 * A small GGUF writer, made from the description of the format (ggml's docs/gguf.md). It writes what
 * it is told to, right or wrong.
 */

/** A number of so many bits, little-endian, or bytes that stand for themselves. */
export type Piece = readonly [bits: 8 | 16 | 32 | 64, value: number | bigint] | Uint8Array;

/** All pieces one after another. */
export function bytesOf(...pieces: readonly Piece[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => {
    if (piece instanceof Uint8Array) return [...piece];
    const [bits, value] = piece;
    return [...new Uint8Array(BigUint64Array.of(BigInt.asUintN(64, BigInt(value))).buffer)]
      .slice(0, bits / 8);
  }));
}

/** A text with its length before it. */
export function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  return bytesOf([64, bytes.length], bytes);
}

/** A tensor's description. */
export interface Stated {
  readonly name?: string;
  /** As a file has them: innermost first. */
  readonly extents?: readonly (number | bigint)[];
  readonly type?: number;
  readonly offset?: number | bigint;
}

/** A whole file; by default of one tensor `w` of four float32 values. */
export function fileOf(
  { magic = "GGUF", version = 3, tensors = [{}], metadata = [], counts, data = 16 }: {
    readonly magic?: string;
    readonly version?: number;
    readonly tensors?: readonly Stated[];
    /** Each a key, the number of a type, and the value's bytes. */
    readonly metadata?: readonly (readonly [key: string, type: number, value: Uint8Array])[];
    readonly counts?: readonly [tensors: number | bigint, keys: number | bigint];
    readonly data?: number;
  } = {},
): Uint8Array {
  const [tensorCount, keyCount] = counts ?? [tensors.length, metadata.length];
  const head = bytesOf(
    new TextEncoder().encode(magic),
    [32, version],
    [64, tensorCount],
    [64, keyCount],
    ...metadata.flatMap(([key, type, value]): Piece[] => [text(key), [32, type], value]),
    ...tensors.flatMap(({ name = "w", extents = [4], type = 0, offset = 0 }): Piece[] => [
      text(name),
      [32, extents.length],
      ...extents.map((extent): Piece => [64, extent]),
      [32, type],
      [64, offset],
    ]),
  );
  const start = Math.ceil(head.length / 32) * 32;
  const file = new Uint8Array(start + data);
  file.set(head);
  return file;
}
