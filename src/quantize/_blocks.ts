/** The arithmetic of block-wise quantisation, symmetric about zero. */
import type { QuantizedBits } from "../safetensors/mod.ts";

/** How far quantised values are from the originals: sums of squares. */
export interface SquaredError {
  error: number;
  norm: number;
}

/**
 * Where the largest value of a block of 4 bits goes on the grid from -8 to 7: exactly onto its end,
 * short of it, or beyond, where it is cut and the others gain. The best of them is taken.
 */
const PLACES_OF_LARGEST: Readonly<Record<QuantizedBits, readonly number[]>> = {
  4: [-7, -7.4, -7.8, -8.2, -8.6, -9],
  8: [-128],
};

const BFLOAT16_SHIFT = 16;
const FLOAT32 = new Float32Array(1);
const BITS = new Uint32Array(FLOAT32.buffer);

/** The types of 16 bits in which a scale is stored. */
export type ScaleType = "bfloat16" | "float16";

const HALF = new Float16Array(1);
const HALF_BITS = new Uint16Array(HALF.buffer);

/** The nearest number of a type of 16 bits, ties to even, as its bits. */
function scaleBitsOf(value: number, type: ScaleType): number {
  if (type === "bfloat16") return bfloat16Bits(value);
  HALF[0] = value;
  return HALF_BITS[0]!;
}

function fromScaleBits(bits: number, type: ScaleType): number {
  if (type === "bfloat16") return fromBfloat16Bits(bits);
  HALF_BITS[0] = bits;
  return HALF[0]!;
}

/** The nearest bfloat16, ties to even, as its 16 bits. */
function bfloat16Bits(value: number): number {
  FLOAT32[0] = value;
  const word = BITS[0]!;
  return (word + 0x7fff + ((word >>> BFLOAT16_SHIFT) & 1)) >>> BFLOAT16_SHIFT;
}

function fromBfloat16Bits(bits: number): number {
  BITS[0] = bits << BFLOAT16_SHIFT;
  return FLOAT32[0]!;
}

/**
 * Quantises values block by block.
 *
 * The scale of a block of 4 bits is the best in squared error of several (as llama.cpp's
 * `make_qx_quants` looks for it): for each place of the block's largest value the nearest grid points
 * are taken, and then the scale that suits those points best. Scales are rounded as stored before
 * the last rounding of the values, so that nothing is lost by how they are stored. A scale may be
 * negative: the grid reaches one step further down than up, and the largest value takes that step.
 *
 * @param values Whole blocks.
 * @param packed Takes the grid points; as long as `values` in bytes of `bits`.
 * @param scales Takes the scales as bits of `scaleType`, one a block.
 * @param error Is added to.
 * @returns False where a value is no finite number; what was written is of no use then.
 */
export function quantizeBlocks(
  values: Float32Array,
  blockSize: number,
  bits: QuantizedBits,
  packed: Uint8Array,
  scales: Uint16Array,
  error: SquaredError,
  scaleType: ScaleType = "bfloat16",
): boolean {
  const zero = 2 ** (bits - 1);
  const top = 2 ** bits - 1;
  const places = PLACES_OF_LARGEST[bits];
  // Adding it and cutting off rounds, since what is cut is never negative on the grid.
  const rounding = zero + 0.5;
  for (let block = 0; block < scales.length; block++) {
    const start = block * blockSize;
    const end = start + blockSize;
    let largest = 0;
    let norm = 0;
    for (let i = start; i < end; i++) {
      const value = values[i]!;
      norm += value * value;
      if (Math.abs(value) > Math.abs(largest)) largest = value;
    }
    if (!Number.isFinite(norm)) return false;

    let scale = 0;
    let bestGain = -1;
    if (largest !== 0) {
      for (const place of places) {
        const inverse = place / largest;
        let product = 0;
        let square = 0;
        for (let i = start; i < end; i++) {
          const value = values[i]!;
          let point = (value * inverse + rounding) | 0;
          point = (point < 0 ? 0 : point > top ? top : point) - zero;
          product += value * point;
          square += point * point;
        }
        // The squared error at the best scale for these points is norm − gain.
        const gain = product * product / square;
        if (gain > bestGain) {
          bestGain = gain;
          scale = product / square;
        }
      }
    }
    const scaleBits = scaleBitsOf(scale, scaleType);
    scales[block] = scaleBits;
    scale = fromScaleBits(scaleBits, scaleType);
    const inverse = scale === 0 ? 0 : 1 / scale;
    let squaredError = 0;
    for (let i = start; i < end; i++) {
      const value = values[i]!;
      let point = (value * inverse + rounding) | 0;
      point = point < 0 ? 0 : point > top ? top : point;
      const difference = value - (point - zero) * scale;
      squaredError += difference * difference;
      if (bits === 8) packed[i] = point;
      else if (i % 2 === 0) packed[i >> 1] = point;
      else packed[i >> 1]! |= point << 4;
    }
    error.error += squaredError;
    error.norm += norm;
  }
  return true;
}
