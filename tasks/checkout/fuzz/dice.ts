/** A small generator of 32-bit numbers (Marsaglia's xorshift), so that a seed repeats a run. */
export class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) || 1;
  }
  /** An integer from 0 to `sides` − 1. */
  roll(sides: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % sides;
  }
  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.roll(items.length)]!;
  }
}
