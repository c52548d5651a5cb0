/**
 * The block types of ggml that can be read (ggml-quants.c and gguf-py's quants.py describe them).
 *
 * All of them come down to one form: a point q of 0 … 255 for each value, and for each 16 or 32 values
 * a scale and perhaps a minimum; a value is scale · (q − zero) + minimum. The points of the types whose
 * names begin with IQ4 are 16 of those, not all equally far apart.
 *
 * @module
 */

/** The block types that can be read. */
export type BlockType =
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q8_0"
  | "Q2_K"
  | "Q3_K"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K"
  | "IQ4_NL"
  | "IQ4_XS";

/** What blocks are taken apart into. */
export interface Unpacked {
  /** One a value. */
  readonly points: Uint8Array;
  /** One for each run of values that share it. */
  readonly scales: Float32Array;
  /** As many; of use only where the type has minima. */
  readonly minima: Float32Array;
}

/** How a block type stores its values. */
export interface BlockLayout {
  /** Values of a block. */
  readonly values: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /** Values that share a scale. */
  readonly scaleValues: 16 | 32;
  /** The point that stands for the minimum, or for 0 without one. */
  readonly zero: number;
  /** The point in the middle of those that there are. */
  readonly middle: number;
  /** Bits that hold all points: 4 or 8. */
  readonly bits: 4 | 8;
  readonly hasMinima: boolean;
  /** Takes the block at `from` of `stored` apart; it is the block of that index in `into`. */
  readonly unpack: (stored: Uint8Array, from: number, into: Unpacked, index: number) => void;
}

const HALF_VALUES = 1 << 16;
let halves: Float32Array | undefined;

/** A float16 of little-endian bytes. */
function half(stored: Uint8Array, at: number): number {
  halves ??= new Float32Array(
    new Float16Array(Uint16Array.from({ length: HALF_VALUES }, (_, bits) => bits).buffer),
  );
  return halves[stored[at]! | stored[at + 1]! << 8]!;
}

const { fround } = Math;

/** Values that a small block has, and half of them, which share their bytes' lower or upper bits. */
const SMALL = 32;
const SMALL_HALF = 16;
/** Values of a block of the K types. */
const LARGE = 256;

/** The nibbles of 16 bytes: the lower ones are the first 16 values. */
function nibbles(stored: Uint8Array, from: number, points: Uint8Array, to: number): void {
  for (let i = 0; i < SMALL_HALF; i++) {
    const byte = stored[from + i]!;
    points[to + i] = byte & 15;
    points[to + SMALL_HALF + i] = byte >> 4;
  }
}

/** Adds a fifth bit to 32 points, from four bytes. */
function fifthBits(stored: Uint8Array, from: number, points: Uint8Array, to: number): void {
  for (let i = 0; i < SMALL; i++) {
    points[to + i]! |= (stored[from + (i >> 3)]! >> (i & 7) & 1) << 4;
  }
}

/** The eight scales and minima of 6 bits that `Q4_K` and `Q5_K` have in 12 bytes. */
function sixBitPairs(stored: Uint8Array, from: number, into: Unpacked, index: number): void {
  const { scales, minima } = into;
  const factor = half(stored, from);
  const minFactor = half(stored, from + 2);
  const at = from + 4;
  for (let j = 0; j < 8; j++) {
    const isLow = j < 4;
    const scale = isLow
      ? stored[at + j]! & 63
      : stored[at + j + 4]! & 15 | stored[at + j - 4]! >> 6 << 4;
    const minimum = isLow
      ? stored[at + j + 4]! & 63
      : stored[at + j + 4]! >> 4 | stored[at + j]! >> 6 << 4;
    scales[8 * index + j] = factor * scale;
    minima[8 * index + j] = -fround(minFactor * minimum);
  }
}

/** The nibbles of `Q4_K` and `Q5_K`: 32 bytes hold two runs of 32 values. */
function pairedNibbles(stored: Uint8Array, from: number, points: Uint8Array, to: number): void {
  for (let pair = 0; pair < 4; pair++) {
    for (let i = 0; i < SMALL; i++) {
      const byte = stored[from + SMALL * pair + i]!;
      points[to + 2 * SMALL * pair + i] = byte & 15;
      points[to + 2 * SMALL * pair + SMALL + i] = byte >> 4;
    }
  }
}

/** What the nibbles of the IQ4 types stand for, plus 128. */
const UNEVEN_POINTS = Uint8Array.of(
  ...[1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241],
);

/** Nibbles of the IQ4 types, in the order of {@linkcode nibbles}, as points. */
function unevenNibbles(stored: Uint8Array, from: number, points: Uint8Array, to: number): void {
  nibbles(stored, from, points, to);
  for (let i = to; i < to + SMALL; i++) points[i] = UNEVEN_POINTS[points[i]!]!;
}

/** How each type stores its values. */
export const BLOCK_LAYOUTS: Readonly<Record<BlockType, BlockLayout>> = {
  Q4_0: {
    values: SMALL,
    bytes: 18,
    scaleValues: 32,
    zero: 8,
    middle: 8,
    bits: 4,
    hasMinima: false,
    unpack(stored, from, { points, scales }, index) {
      scales[index] = half(stored, from);
      nibbles(stored, from + 2, points, SMALL * index);
    },
  },
  Q4_1: {
    values: SMALL,
    bytes: 20,
    scaleValues: 32,
    zero: 0,
    middle: 8,
    bits: 4,
    hasMinima: true,
    unpack(stored, from, { points, scales, minima }, index) {
      scales[index] = half(stored, from);
      minima[index] = half(stored, from + 2);
      nibbles(stored, from + 4, points, SMALL * index);
    },
  },
  Q5_0: {
    values: SMALL,
    bytes: 22,
    scaleValues: 32,
    zero: 16,
    middle: 16,
    bits: 8,
    hasMinima: false,
    unpack(stored, from, { points, scales }, index) {
      scales[index] = half(stored, from);
      nibbles(stored, from + 6, points, SMALL * index);
      fifthBits(stored, from + 2, points, SMALL * index);
    },
  },
  Q5_1: {
    values: SMALL,
    bytes: 24,
    scaleValues: 32,
    zero: 0,
    middle: 16,
    bits: 8,
    hasMinima: true,
    unpack(stored, from, { points, scales, minima }, index) {
      scales[index] = half(stored, from);
      minima[index] = half(stored, from + 2);
      nibbles(stored, from + 8, points, SMALL * index);
      fifthBits(stored, from + 4, points, SMALL * index);
    },
  },
  Q8_0: {
    values: SMALL,
    bytes: 34,
    scaleValues: 32,
    zero: 128,
    middle: 128,
    bits: 8,
    hasMinima: false,
    unpack(stored, from, { points, scales }, index) {
      scales[index] = half(stored, from);
      // Signed bytes become points by turning their highest bit.
      for (let i = 0; i < SMALL; i++) points[SMALL * index + i] = stored[from + 2 + i]! ^ 128;
    },
  },
  Q2_K: {
    values: LARGE,
    bytes: 84,
    scaleValues: 16,
    zero: 0,
    middle: 2,
    bits: 4,
    hasMinima: true,
    unpack(stored, from, { points, scales, minima }, index) {
      const factor = half(stored, from + 80);
      const minFactor = half(stored, from + 82);
      for (let j = 0; j < 16; j++) {
        const byte = stored[from + j]!;
        scales[16 * index + j] = factor * (byte & 15);
        minima[16 * index + j] = -fround(minFactor * (byte >> 4));
      }
      for (let i = 0; i < LARGE; i++) {
        const byte = stored[from + 16 + (i >> 7) * SMALL + (i & 31)]!;
        points[LARGE * index + i] = byte >> 2 * (i >> 5 & 3) & 3;
      }
    },
  },
  Q3_K: {
    values: LARGE,
    bytes: 110,
    scaleValues: 16,
    zero: 4,
    middle: 4,
    bits: 4,
    hasMinima: false,
    unpack(stored, from, { points, scales }, index) {
      const factor = half(stored, from + 108);
      for (let j = 0; j < 16; j++) {
        const low = stored[from + 96 + (j & 7)]! >> 4 * (j >> 3) & 15;
        const high = stored[from + 104 + (j & 3)]! >> 2 * (j >> 2) & 3;
        scales[16 * index + j] = factor * ((low | high << 4) - 32);
      }
      for (let i = 0; i < LARGE; i++) {
        const low = stored[from + 32 + (i >> 7) * SMALL + (i & 31)]! >> 2 * (i >> 5 & 3) & 3;
        const high = stored[from + (i & 31)]! >> (i >> 5) & 1;
        points[LARGE * index + i] = low | high << 2;
      }
    },
  },
  Q4_K: {
    values: LARGE,
    bytes: 144,
    scaleValues: 32,
    zero: 0,
    middle: 8,
    bits: 4,
    hasMinima: true,
    unpack(stored, from, into, index) {
      sixBitPairs(stored, from, into, index);
      pairedNibbles(stored, from + 16, into.points, LARGE * index);
    },
  },
  Q5_K: {
    values: LARGE,
    bytes: 176,
    scaleValues: 32,
    zero: 0,
    middle: 16,
    bits: 8,
    hasMinima: true,
    unpack(stored, from, into, index) {
      sixBitPairs(stored, from, into, index);
      const { points } = into;
      pairedNibbles(stored, from + 48, points, LARGE * index);
      for (let i = 0; i < LARGE; i++) {
        points[LARGE * index + i]! |= (stored[from + 16 + (i & 31)]! >> (i >> 5) & 1) << 4;
      }
    },
  },
  Q6_K: {
    values: LARGE,
    bytes: 210,
    scaleValues: 16,
    zero: 32,
    middle: 32,
    bits: 8,
    hasMinima: false,
    unpack(stored, from, { points, scales }, index) {
      const factor = half(stored, from + 208);
      for (let j = 0; j < 16; j++) {
        scales[16 * index + j] = factor * (stored[from + 192 + j]! << 24 >> 24);
      }
      for (let part = 0; part < 2; part++) {
        const to = LARGE * index + 128 * part;
        for (let i = 0; i < SMALL; i++) {
          const first = stored[from + 64 * part + i]!;
          const second = stored[from + 64 * part + SMALL + i]!;
          const high = stored[from + 128 + SMALL * part + i]!;
          points[to + i] = first & 15 | (high & 3) << 4;
          points[to + SMALL + i] = second & 15 | (high >> 2 & 3) << 4;
          points[to + 2 * SMALL + i] = first >> 4 | (high >> 4 & 3) << 4;
          points[to + 3 * SMALL + i] = second >> 4 | (high >> 6 & 3) << 4;
        }
      }
    },
  },
  IQ4_NL: {
    values: SMALL,
    bytes: 18,
    scaleValues: 32,
    zero: 128,
    middle: 128,
    bits: 8,
    hasMinima: false,
    unpack(stored, from, { points, scales }, index) {
      scales[index] = half(stored, from);
      unevenNibbles(stored, from + 2, points, SMALL * index);
    },
  },
  IQ4_XS: {
    values: LARGE,
    bytes: 136,
    scaleValues: 32,
    zero: 128,
    middle: 128,
    bits: 8,
    hasMinima: false,
    unpack(stored, from, { points, scales }, index) {
      const factor = half(stored, from);
      const highBits = stored[from + 2]! | stored[from + 3]! << 8;
      for (let j = 0; j < 8; j++) {
        const low = stored[from + 4 + (j >> 1)]! >> 4 * (j & 1) & 15;
        const high = highBits >> 2 * j & 3;
        scales[8 * index + j] = factor * ((low | high << 4) - 32);
        unevenNibbles(stored, from + 8 + 16 * j, points, LARGE * index + SMALL * j);
      }
    },
  },
};

/** Whether a type of ggml is one of blocks that can be read. */
export function isBlockType(type: string): type is BlockType {
  return Object.hasOwn(BLOCK_LAYOUTS, type);
}
