const ROUNDS = 10;
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const KEY_STEP_0 = 0x9e3779b9;
const KEY_STEP_1 = 0xbb67ae85;
const WORD = 2 ** 32;

/**
 * Philox 4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3",
 * 2011) as cuRAND numbers its streams.
 *
 * @param keyLow The lower 32 bits of the seed.
 * @param keyHigh The upper 32 bits of the seed.
 * @param stream Which of 2³² independent streams: a CUDA thread's index.
 * @param block How many blocks of four words the stream has given before.
 * @param words Receives the four words.
 */
export function philox(
  keyLow: number,
  keyHigh: number,
  stream: number,
  block: number,
  words: Uint32Array,
): void {
  let key0 = keyLow;
  let key1 = keyHigh;
  let word0 = block >>> 0;
  let word1 = Math.floor(block / WORD);
  let word2 = stream;
  let word3 = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const low0 = Math.imul(MULTIPLIER_0, word0) >>> 0;
    const low1 = Math.imul(MULTIPLIER_1, word2) >>> 0;
    const high0 = highWord(MULTIPLIER_0 * word0, low0);
    const high1 = highWord(MULTIPLIER_1 * word2, low1);
    word0 = (high1 ^ word1 ^ key0) >>> 0;
    word2 = (high0 ^ word3 ^ key1) >>> 0;
    word1 = low1;
    word3 = low0;
    key0 = (key0 + KEY_STEP_0) | 0;
    key1 = (key1 + KEY_STEP_1) | 0;
  }
  words[0] = word0;
  words[1] = word1;
  words[2] = word2;
  words[3] = word3;
}

/**
 * The upper half of a 64-bit product, given its float64 approximation and its exact lower half. The
 * approximation is off by 2¹⁰ at most, so rounding to a whole number of 2³² is safe.
 */
function highWord(product: number, low: number): number {
  return ((product - low) / WORD + 0.5) >>> 0;
}
