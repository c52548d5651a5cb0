/**
 * The shape in which tensors cross the public API: plain data, the same fields as ONNX Runtime's.
 *
 * @module
 */

/** A dense float32 tensor in row-major order. */
export interface Tensor {
  /** The values; as many as the product of `dims`. */
  readonly data: Float32Array;
  /** The extent of each axis, outermost first. */
  readonly dims: readonly number[];
  /** Always `"float32"`: graphs cast inside. */
  readonly type: "float32";
}

/** A dense tensor of bytes in row-major order: the pixels of pictures. */
export interface ByteTensor {
  readonly data: Uint8Array;
  readonly dims: readonly number[];
  readonly type: "uint8";
}

/** How many values a tensor of these extents holds. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((count, extent) => count * extent, 1);
}

/**
 * Makes a tensor and checks that the values fill its extents exactly.
 *
 * @throws {RangeError} When there are more or fewer values than `dims` asks for.
 *
 * @example
 * ```ts
 * tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
 * ```
 */
export function tensor(data: Float32Array, dims: readonly number[]): Tensor {
  const expected = elementCount(dims);
  if (data.length !== expected) {
    throw new RangeError(
      `A tensor of [${dims.join(", ")}] holds ${expected} values, but ${data.length} were given.`,
    );
  }
  return { data, dims, type: "float32" };
}
