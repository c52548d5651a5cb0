/** Turning stored values into float32, exactly. */
import { rotationMatrix } from "./rotation_matrix.ts";
import type { ByteDtype, FloatDtype } from "./types.ts";

/** A float32 is the upper half of a bfloat16's bits followed by this many zeros. */
const BFLOAT16_SHIFT = 16;
const BYTE_VALUES = 256;

/** Turns stored bytes into float32; both begin at an aligned place. */
export type Decode = (stored: Uint8Array, values: Float32Array) => void;

const E4M3_MANTISSA = 8;
const E4M3_BIAS = 7;

/** float8 e4m3fn: no infinities, and one NaN of each sign. */
function e4m3(byte: number): number {
  const exponent = (byte >> 3) & 15;
  const mantissa = byte & 7;
  const sign = byte < 128 ? 1 : -1;
  if (exponent === 15 && mantissa === 7) return NaN;
  return exponent === 0
    ? sign * (mantissa / E4M3_MANTISSA) * 2 ** (1 - E4M3_BIAS)
    : sign * (1 + mantissa / E4M3_MANTISSA) * 2 ** (exponent - E4M3_BIAS);
}

/** float8 e5m2 is the upper half of a float16. */
function e5m2(byte: number): number {
  return new Float16Array(Uint16Array.of(byte << 8).buffer)[0]!;
}

function byTable(valueOf: (byte: number) => number): Decode {
  const table = Float32Array.from({ length: BYTE_VALUES }, (_, byte) => valueOf(byte));
  return (stored, values) => {
    for (let i = 0; i < values.length; i++) values[i] = table[stored[i]!]!;
  };
}

/** How each dtype becomes float32, scales aside. */
export const DECODE: Readonly<Record<FloatDtype | ByteDtype, Decode>> = {
  F32: (stored, values) =>
    values.set(new Float32Array(stored.buffer, stored.byteOffset, values.length)),
  F16: (stored, values) =>
    values.set(new Float16Array(stored.buffer, stored.byteOffset, values.length)),
  BF16: (stored, values) => {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    const halves = new Uint16Array(stored.buffer, stored.byteOffset, values.length);
    for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << BFLOAT16_SHIFT;
  },
  F8_E4M3: byTable(e4m3),
  F8_E5M2: byTable(e5m2),
  I8: (stored, values) =>
    values.set(new Int8Array(stored.buffer, stored.byteOffset, values.length)),
};

/** Undoes the rotation of a row (see {@linkcode rotationMatrix}), in place. */
export function rotator(size: number): (row: Float32Array) => void {
  const matrix = rotationMatrix(size);
  const group = new Float32Array(size);
  return (row) => {
    for (let start = 0; start < row.length; start += size) {
      group.set(row.subarray(start, start + size));
      for (let column = 0; column < size; column++) {
        let sum = 0;
        for (let i = 0; i < size; i++) sum += group[i]! * matrix[i * size + column]!;
        row[start + column] = sum;
      }
    }
  };
}
