/** The regular Hadamard matrix of order 4, without its factor of 1/2: symmetric, like its powers. */
const ORDER_4 = [
  [1, 1, 1, -1],
  [1, 1, -1, 1],
  [1, -1, 1, 1],
  [-1, 1, 1, 1],
] as const;
const BITS_A_DIGIT = 2;

/** Whether there is a rotation of so many values: powers of 4, up to one that a layer may have. */
export function isRotationSize(size: unknown): size is number {
  return typeof size === "number" && size >= 4 && size <= LARGEST &&
    4 ** Math.round(Math.log(size) / Math.log(4)) === size;
}

/** Files have 256; a table of this order takes 64 MiB. */
const LARGEST = 4096;

/**
 * The matrix [size, size] by which each run of `size` values of a row was multiplied before they were
 * rounded to 8 bits ("ConvRot", docs/int8_convrot.md of leejet/stable-diffusion.cpp): a Kronecker
 * power of the regular Hadamard matrix of order 4, orthogonal and symmetric, so that it is its own
 * inverse. x · Wᵀ is therefore (x · R) · (W · R)ᵀ.
 *
 * @param size A power of 4.
 * @returns Row-major.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual([...rotationMatrix(4).subarray(0, 4)], [0.5, 0.5, 0.5, -0.5]);
 * ```
 */
export function rotationMatrix(size: number): Float32Array {
  const values = new Float32Array(size * size);
  const factor = 1 / Math.sqrt(size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      let sign = 1;
      for (let i = row, j = column, rest = size; rest > 1; rest >>= BITS_A_DIGIT) {
        sign *= ORDER_4[i & 3]![j & 3]!;
        i >>= BITS_A_DIGIT;
        j >>= BITS_A_DIGIT;
      }
      values[row * size + column] = sign * factor;
    }
  }
  return values;
}
