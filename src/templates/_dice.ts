/**
 * Chance that can be repeated: the same seed throws the same. This is sfc32 of the PractRand suite
 * (Chris Doty-Humphrey), seeded with the two halves of a 64-bit seed.
 */
export class Dice {
  #a: number;
  #b: number;
  #c = 0;
  #counter = 1;

  constructor(seed: number | bigint) {
    const bits = BigInt.asUintN(64, BigInt(seed));
    this.#a = Number(bits & 0xffff_ffffn) | 0;
    this.#b = Number(bits >> 32n) | 0;
    for (let round = 0; round < 12; round++) this.#next();
  }

  /** A whole number from 0 to `count` − 1, each as likely. */
  below(count: number): number {
    return Math.floor(this.#next() / 2 ** 32 * count);
  }

  /** The index of a weight, each as likely as its share of the sum; the sum must not be 0. */
  weighted(weights: readonly number[]): number {
    const sum = weights.reduce((sum, weight) => sum + weight, 0);
    let rest = this.#next() / 2 ** 32 * sum;
    const index = weights.findIndex((weight) => (rest -= weight) < 0);
    return index < 0 ? weights.findLastIndex((weight) => weight > 0) : index;
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum | 0;
    return sum >>> 0;
  }
}
