/**
 * cuRAND's `_curand_box_muller` (`curand_normal.h`) as nvcc compiles it into PyTorch: the
 * instructions are those of ATen's `normal_kernel` for sm_90 in the PyTorch 2.11 wheel, with every
 * multiplication that feeds an addition fused. The wheel's code for sm_75, 80, 86, 100 and 120 has
 * the same floating-point operations.
 */
import { bitsOf, fromBits, fusedMultiplyAdd } from "./_float32.ts";
import { unitArgument, unitCosine, unitSine } from "./_sine_unit.ts";

const f32 = Math.fround;

const WORD = 2 ** 32;
// cuRAND's CURAND_2POW32_INV_2PI, and half of it.
const ANGLE_UNIT = f32(2 * Math.PI / WORD);
const HALF_ANGLE_UNIT = ANGLE_UNIT / 2;

// The polynomial of CUDA's logf for ln(1 + x), x from −1/3 to 1/3, without its first two terms.
const LOG_COEFFICIENTS = Float32Array.of(
  -0.130188569,
  0.140846103,
  -0.121486276,
  0.139806107,
  -0.166842356,
  0.200122997,
  -0.249996692,
  0.333331823,
  -0.5,
);
const LN2 = f32(Math.LN2);
const BITS_OF_TWO_THIRDS = 0x3f2aaaab;
const EXPONENT_MASK = 0xff800000;
const EXPONENT_UNIT = 2 ** 23;

/** The distance from the origin: √(−2 ln u), with u the middle of a word's share of (0, 1). */
export function radius(word: number): number {
  // The sum has no more than 53 bits, so one rounding is all there is.
  const uniform = f32((f32(word) + 0.5) / WORD);
  return f32(Math.sqrt(f32(-2 * naturalLogarithm(uniform))));
}

/** The direction, as the sine unit sees it. */
export function direction(word: number): number {
  return unitArgument(fusedMultiplyAdd(f32(word), ANGLE_UNIT, HALF_ANGLE_UNIT));
}

/** One of the two normal values. The kernel ends with · 1 + 0, which turns −0 into 0. */
export function sineNormal(radius: number, direction: number): number {
  return f32(radius * unitSine(direction)) + 0;
}

/** The other normal value. */
export function cosineNormal(radius: number, direction: number): number {
  return f32(radius * unitCosine(direction)) + 0;
}

/** CUDA's `logf` for normal numbers. */
function naturalLogarithm(value: number): number {
  const bits = bitsOf(value);
  const exponentBits = (bits - BITS_OF_TWO_THIRDS) & EXPONENT_MASK;
  const x = fromBits(bits - exponentBits) - 1;
  let y = LOG_COEFFICIENTS[0]!;
  for (let i = 1; i < LOG_COEFFICIENTS.length; i++) {
    y = fusedMultiplyAdd(x, y, LOG_COEFFICIENTS[i]!);
  }
  y = fusedMultiplyAdd(x, f32(x * y), x);
  return fusedMultiplyAdd(exponentBits / EXPONENT_UNIT, LN2, y);
}
