/**
 * A value of a GGUF file's metadata; of long lists nothing is kept but how many members they have, and
 * of texts of more than a megabyte their bytes.
 */
export type GgufValue =
  | string
  | number
  | bigint
  | boolean
  | readonly (string | number | bigint | boolean)[]
  | { readonly count: number };

/** A tensor of a GGUF file, whose type is known: enough to find its bytes. */
export interface GgufTensor {
  readonly name: string;
  /** ggml's word for how values are stored: `F16`, `Q4_K`… */
  readonly type: string;
  /** The extents, outermost first; a file has them the other way round. */
  readonly shape: readonly number[];
  /** Where its first byte is, counted in bytes from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** What stands in front of a GGUF file's data. */
export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** In the file's order. */
  readonly tensors: readonly GgufTensor[];
}
