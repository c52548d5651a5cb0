import type { BlockType } from "../gguf/mod.ts";
import type { SafetensorsError } from "./safetensors_error.ts";

/** The dtypes in which numbers stand as they are. */
export type FloatDtype = "F32" | "F16" | "BF16";

/** The dtypes of one byte, which mostly have a scale: see {@linkcode TensorEntry.scale}. */
export type ByteDtype = "F8_E4M3" | "F8_E5M2" | "I8";

/**
 * The dtypes that a weight may have; `U8` holds quantised values, several to a byte or one, and what
 * GGUF files call a {@linkcode BlockType} holds them in blocks, with their scales among them.
 */
export type WeightDtype = FloatDtype | ByteDtype | BlockType | "U8";

/** Where the bytes of a tensor lie, and what they are. */
export interface StoredTensor {
  /** The extents, outermost first; `[]` is a scalar. */
  readonly shape: readonly number[];
  /** The real path of the file that holds it. */
  readonly file: string;
  /** Where its first byte is, counted in bytes from the start of the file. */
  readonly offset: number;
  /** How many bytes it takes. */
  readonly byteLength: number;
}

/** One weight: enough to point an ONNX initializer at its bytes without reading them. */
export interface TensorEntry extends StoredTensor {
  /** The name in the file. */
  readonly name: string;
  /** How each value is stored, little-endian. */
  readonly dtype: WeightDtype;
  /** Of a quantised matrix, whose `shape` is that of the matrix; with dtype `U8` and no other. */
  readonly quantization?: Quantization;
  /**
   * What the values of a {@linkcode ByteDtype} are multiplied by: one number, or one for each index
   * of the first axis. Without it they stand as they are.
   */
  readonly scale?: TensorEntry;
  /**
   * Set where a matrix [N, K] was rotated before it was rounded: each run of so many values of a row,
   * a power of 4, is stored times a symmetric orthogonal matrix (see {@linkcode rotationMatrix}).
   */
  readonly rotation?: number;
}

/**
 * How a matrix [N, K] is quantised: each row is cut into blocks of values that share a scale. A value
 * is (q − 2^(bits − 1)) · scale, with q in `bits` bits, the first of a block in a byte's lowest.
 */
export interface Quantization {
  readonly bits: QuantizedBits;
  /** Values that share a scale: a power of two from 16 on, and a divisor of K. */
  readonly blockSize: number;
  /** [N, K / blockSize], in the same file. */
  readonly scales: TensorEntry;
}

/** Bits of a quantised value. */
export type QuantizedBits = 4 | 8;

/** A tensor that is not a weight, such as a tokenizer stored as bytes or a buffer of indices. */
export interface OpaqueEntry extends StoredTensor {
  /** Any dtype of the safetensors format. */
  readonly dtype: string;
}

/** The weights of one file, or of a set of shards, by name. */
export interface Weights {
  /** What messages call it: the path of the file or index, as given. */
  readonly source: string;
  /** The real paths of the files that hold the bytes. */
  readonly files: readonly string[];
  /** The same files under the names by which they were found, links unresolved. */
  readonly paths: readonly string[];
  /** The weights by name. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** What is not a weight, by name: named in `options.opaque`, or in a dtype that no weight has. */
  readonly opaque: ReadonlyMap<string, OpaqueEntry>;
  /**
   * What is wrong with tensors that cannot be used, by name; most files have none. Whoever asks for
   * one of them is told; to all others they do no harm.
   */
  readonly unusable: ReadonlyMap<string, SafetensorsError>;
  /**
   * The free text of `__metadata__`, in an object without a prototype. Of a set of shards, all that
   * they state together; where two differ, the word of the shard whose name sorts first. Of a GGUF
   * file, all texts, numbers and truth values, as text.
   */
  readonly metadata: Readonly<Record<string, string>>;
}

/** How to read weights. */
export interface OpenWeightsOptions {
  /**
   * Names of tensors that may stand in the file without being weights, in any dtype of the format.
   * Their place in the file is checked like any other's. Names that the file lacks are no error.
   *
   * @default {[]}
   */
  readonly opaque?: readonly string[] | undefined;
  /**
   * Which of several copies in a folder to take, as diffusers names them: `"fp16"` is
   * `model.fp16.safetensors`. Without it the full one is taken, or the only variant that is there.
   */
  readonly variant?: string | undefined;
}
