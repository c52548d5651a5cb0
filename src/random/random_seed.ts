/**
 * A random seed, from the system's source of randomness.
 *
 * @returns An integer from 0 to 2³² − 1: short enough to be read out, and as much of a seed as a
 * CPU generator uses.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const seed = randomSeed();
 * assert.ok(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32);
 * ```
 */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
