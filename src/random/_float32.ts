/**
 * Single-precision arithmetic that JavaScript lacks. `Math.fround` of a float64 sum, product,
 * quotient or square root of float32 values is the correctly rounded float32 result; a fused
 * multiply-add is not so simple.
 */

/**
 * `a · b + c` of float32 values, rounded once, as the FMA instructions of CPUs and GPUs do.
 *
 * The product is exact in float64; the sum is not, and rounding it again to float32 goes wrong when
 * the float64 sum falls exactly between two float32 neighbours though the true sum does not. Then
 * what the addition lost decides. (Overflow and subnormal results do not occur here.)
 */
export function fusedMultiplyAdd(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const nearest = Math.fround(sum);
  const beyond = sum - nearest;
  const neighbour = sum + beyond;
  if (beyond === 0 || Math.fround(neighbour) !== neighbour) return nearest;

  // Knuth's two-sum: the exact difference between the true sum and the float64 sum.
  const productPart = sum - c;
  const lost = (product - productPart) + (c - (sum - productPart));
  return lost !== 0 && lost > 0 === beyond > 0 ? neighbour : nearest;
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** The 32 bits of a float32 value. */
export function bitsOf(value: number): number {
  float[0] = value;
  return word[0]!;
}

/** The float32 value of 32 bits. */
export function fromBits(bits: number): number {
  word[0] = bits;
  return float[0]!;
}
