/**
 * Box and Muller's transform in float32 as ATen's AVX2 code does it.
 *
 * The polynomials are those of Cephes (Stephen Moshier's `logf.c` and `sinf.c`) in the order of
 * `native/cpu/avx_mathfun.h`. The compiled library (GCC, `-mfma`) fuses each multiplication that
 * feeds an addition; where a sum has a product on both sides, the comments say which one is fused.
 */
import { bitsOf, fromBits, fusedMultiplyAdd } from "./_float32.ts";

const f32 = Math.fround;

const EXPONENT_SHIFT = 23;
const EXPONENT_OF_HALF = 126;
const SIGNIFICAND_MASK = 0x007fffff;
const BITS_OF_HALF = 0x3f000000;

const SQRT_HALF = f32(Math.SQRT1_2);
const LOG_COEFFICIENTS = Float32Array.of(
  7.0376836292e-2,
  -1.1514610310e-1,
  1.1676998740e-1,
  -1.2420140846e-1,
  1.4249322787e-1,
  -1.6668057665e-1,
  2.0000714765e-1,
  -2.4999993993e-1,
  3.3333331174e-1,
);
// ln 2 in two parts, the first short enough for exact products with small integers.
const LN2_HIGH = f32(0.693359375);
const LN2_LOW = f32(-2.12194440e-4);

const TWO_PI = f32(2 * Math.PI);
const FOUR_OVER_PI = f32(4 / Math.PI);
// π/4 in three parts.
const QUARTER_PI_1 = f32(0.78515625);
const QUARTER_PI_2 = f32(2.4187564849853515625e-4);
const QUARTER_PI_3 = f32(3.77489497744594108e-8);
const SIN_0 = f32(-1.9515295891e-4);
const SIN_1 = f32(8.3321608736e-3);
const SIN_2 = f32(-1.6666654611e-1);
const COS_0 = f32(2.443315711809948e-5);
const COS_1 = f32(-1.388731625493765e-3);
const COS_2 = f32(4.166664568298827e-2);

/**
 * Replaces two uniform values by two normal ones: those at `first` and `second`.
 *
 * The second one gives the angle, and receives the sine.
 */
export function boxMuller(values: Float32Array, first: number, second: number): void {
  const radius = f32(Math.sqrt(f32(-2 * naturalLogarithm(1 - values[first]!))));
  const angle = f32(TWO_PI * values[second]!);

  // The nearest even number of eighths of a turn; what is left of the angle is within ±π/4.
  const eighths = (Math.trunc(f32(angle * FOUR_OVER_PI)) + 1) & ~1;
  let x = fusedMultiplyAdd(eighths, -QUARTER_PI_1, angle);
  x = fusedMultiplyAdd(eighths, -QUARTER_PI_2, x);
  x = fusedMultiplyAdd(eighths, -QUARTER_PI_3, x);

  const swapped = (eighths & 2) !== 0;
  const sine = swapped ? cosineNearZero(x) : sineNearZero(x);
  const cosine = swapped ? sineNearZero(x) : cosineNearZero(x);
  const sineIsNegative = (eighths & 4) !== 0;
  const cosineIsNegative = ((eighths + 2) & 4) !== 0;

  // ATen ends with · std + mean, here · 1 + 0, which turns −0 into 0.
  values[first] = (cosineIsNegative ? -1 : 1) * f32(radius * cosine) + 0;
  values[second] = (sineIsNegative ? -1 : 1) * f32(radius * sine) + 0;
}

function naturalLogarithm(value: number): number {
  const bits = bitsOf(value);
  let exponent = (bits >>> EXPONENT_SHIFT) - EXPONENT_OF_HALF;
  let x = fromBits((bits & SIGNIFICAND_MASK) | BITS_OF_HALF);
  if (x < SQRT_HALF) {
    exponent -= 1;
    x = 2 * x - 1;
  } else {
    x -= 1;
  }
  const square = f32(x * x);
  let y = LOG_COEFFICIENTS[0]!;
  for (let i = 1; i < LOG_COEFFICIENTS.length; i++) {
    y = fusedMultiplyAdd(y, x, LOG_COEFFICIENTS[i]!);
  }
  y = f32(y * x);
  // Fused: y · x²; the other product is rounded.
  y = fusedMultiplyAdd(y, square, f32(exponent * LN2_LOW));
  y = fusedMultiplyAdd(square, -0.5, y);
  return fusedMultiplyAdd(exponent, LN2_HIGH, f32(x + y));
}

function sineNearZero(x: number): number {
  const square = f32(x * x);
  let y = fusedMultiplyAdd(SIN_0, square, SIN_1);
  y = fusedMultiplyAdd(y, square, SIN_2);
  return fusedMultiplyAdd(f32(y * square), x, x);
}

function cosineNearZero(x: number): number {
  const square = f32(x * x);
  let y = fusedMultiplyAdd(COS_0, square, COS_1);
  y = fusedMultiplyAdd(y, square, COS_2);
  y = f32(y * square);
  // Half the square is exact, so it does not matter that the other product is the fused one.
  y = fusedMultiplyAdd(y, square, -0.5 * square);
  return f32(y + 1);
}
