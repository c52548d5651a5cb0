/**
 * The sine and cosine of an NVIDIA GPU's special function unit (`MUFU.SIN`, `MUFU.COS`; CUDA's
 * `__sinf`, `__cosf` and `__sincosf`), to the bit.
 *
 * The structure is that of Oberman and Siu, "A High-Performance Area-Efficient Multifunction
 * Interpolator" (2005), as the envytools project worked it out for the Tesla generation. On an H100
 * all 2²³ arguments of the first quarter turn, and all that float32 can hold of the other three, gave
 * exactly this.
 */
import { SINE_TABLE } from "./_sine_table.ts";

const INVERSE_TWO_PI = Math.fround(1 / (2 * Math.PI));

const TURN = 2 ** 25;
const QUARTER_BITS = 23;
const QUARTER_MASK = 2 ** QUARTER_BITS - 1;
const SEGMENT_BITS = 17;
const SEGMENT_MASK = 2 ** SEGMENT_BITS - 1;

const CONSTANT_UNIT = 2 ** 11;
const RESULT_UNIT = 2 ** 37;
const SIGNIFICAND_END = 2 ** 24;

const CONSTANTS = Float64Array.from(SINE_TABLE, ([constant]) => constant * CONSTANT_UNIT);
const SLOPES = Float64Array.from(SINE_TABLE, ([, slope]) => slope);
const CURVATURES = Float64Array.from(SINE_TABLE, ([, , curvature]) => curvature);

/**
 * What the unit sees of an angle: the turns in units of 2⁻²⁵.
 *
 * CUDA multiplies by float32(1 / 2π), truncating to float32; the unit drops what is finer than its
 * own unit. From half a turn on, float32 is the coarser of the two.
 *
 * @param angle A float32 value in radians, from 0 to below 2π.
 */
export function unitArgument(angle: number): number {
  const turns = angle * INVERSE_TWO_PI;
  return turns < 0.5 ? Math.floor(turns * TURN) : 2 * Math.floor(turns * (TURN / 2));
}

/** The sine of an argument in units of 2⁻²⁵ turn. */
export function unitSine(argument: number): number {
  const quarter = argument >>> QUARTER_BITS;
  // Odd quarters run backwards: their argument is inverted bit by bit.
  const x = (quarter & 1) === 0 ? argument & QUARTER_MASK : ~argument & QUARTER_MASK;
  const sine = firstQuarter(x);
  return (quarter & 2) === 0 ? sine : -sine;
}

/** The cosine of an argument in units of 2⁻²⁵ turn: the sine a quarter turn on. */
export function unitCosine(argument: number): number {
  return unitSine((argument + TURN / 4) & (TURN - 1));
}

function firstQuarter(argument: number): number {
  const segment = argument >>> SEGMENT_BITS;
  const x = argument & SEGMENT_MASK;
  const sum = CONSTANTS[segment]! + SLOPES[segment]! * x + CURVATURES[segment]! * shortSquare(x);
  // Truncated to a float32's significand.
  let unit = RESULT_UNIT / SIGNIFICAND_END;
  while (unit > 1 && sum < unit * (SIGNIFICAND_END / 2)) unit /= 2;
  return Math.floor(sum / unit) * unit / RESULT_UNIT;
}

/** About x² / 2¹⁹: the sum of x's shifted copies, each cut off before they are added. */
function shortSquare(x: number): number {
  let sum = 0;
  for (let bit = 2; bit < SEGMENT_BITS; bit++) {
    // All ones where x has this bit. A branch, taken at random, would cost far more.
    const chosen = -((x >>> bit) & 1);
    sum += (x >>> (SEGMENT_BITS + 1 - bit)) & chosen;
  }
  return sum >>> 1;
}
