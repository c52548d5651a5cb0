const STATE_SIZE = 624;
const MIDDLE = 397;
const UPPER_BIT = 0x80000000;
const LOWER_BITS = 0x7fffffff;
const TWIST = 0x9908b0df;
const SEED_MULTIPLIER = 1812433253;

const WORD = 2 ** 32;
const FLOAT32_DIGITS = 24;
const FLOAT64_HIGH_DIGITS = 53 - 32;

/**
 * MT19937 (Matsumoto and Nishimura, "Mersenne Twister", 1998, seeded as in their mt19937ar of
 * 2002), and the uniform values that ATen makes of it (`core/MT19937RNGEngine.h`, `uniform_real` in
 * `core/TransformationHelper.h`).
 */
export class MersenneTwister {
  readonly #state = new Uint32Array(STATE_SIZE);
  #position = STATE_SIZE;

  /** @param seed 32 bits. */
  constructor(seed: number) {
    const state = this.#state;
    state[0] = seed;
    for (let i = 1; i < STATE_SIZE; i++) {
      const previous = state[i - 1]!;
      state[i] = Math.imul(SEED_MULTIPLIER, previous ^ (previous >>> 30)) + i;
    }
  }

  /** The next 32 bits. */
  next(): number {
    if (this.#position === STATE_SIZE) this.#renew();
    let word = this.#state[this.#position++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  /** A float32 value from [0, 1): the low 24 bits of a word. */
  nextFloat32(): number {
    return (this.next() & (2 ** FLOAT32_DIGITS - 1)) / 2 ** FLOAT32_DIGITS;
  }

  /** A float64 value from [0, 1): the low 53 bits of two words, the first on top. */
  nextFloat64(): number {
    const high = this.next() & (2 ** FLOAT64_HIGH_DIGITS - 1);
    return (high + this.next() / WORD) / 2 ** FLOAT64_HIGH_DIGITS;
  }

  #renew(): void {
    const state = this.#state;
    for (let i = 0; i < STATE_SIZE; i++) {
      const pair = (state[i]! & UPPER_BIT) | (state[(i + 1) % STATE_SIZE]! & LOWER_BITS);
      state[i] = state[(i + MIDDLE) % STATE_SIZE]! ^ (pair >>> 1) ^ ((pair & 1) * TWIST);
    }
    this.#position = 0;
  }
}
