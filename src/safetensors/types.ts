/** The dtypes that a weight may have. */
export type WeightDtype = "F32" | "F16" | "BF16";

/** Where the bytes of a tensor lie, and what they are. */
interface StoredTensor {
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
}

/** A tensor that is not a weight, such as a tokenizer stored as bytes. */
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
  /** The weights by name. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** The tensors that `options.opaque` set apart, by name. */
  readonly opaque: ReadonlyMap<string, OpaqueEntry>;
  /**
   * The free text of `__metadata__`, in an object without a prototype. Of a set of shards, all that
   * they state together; where two differ, the word of the shard whose name sorts first.
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
}

/** Where a `SafetensorsError` happened, and what caused it. */
export interface SafetensorsErrorPlace {
  /** The file, index or folder, as the caller named it. */
  readonly file: string;
  /** The tensor at fault, when there is one. */
  readonly tensor?: string | undefined;
  /** The error underneath, for example the operating system's. */
  readonly cause?: unknown;
}
