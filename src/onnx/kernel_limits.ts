/**
 * What the project's own kernels (src/kernels) can take. The graph compiler asks before it uses
 * them, and the kernels are launched by the same numbers.
 *
 * @module
 */

/** Values of 16 bits in 16 bytes, which is what a thread reads at once: rows are whole vectors. */
export const VECTOR_VALUES = 8;
/** Threads of a warp. */
export const WARP_THREADS = 32;
/** Threads of the largest block. */
const MAX_BLOCK_THREADS = 1024;
/** Values of the longest row that one block normalises. */
export const LONGEST_ROW = MAX_BLOCK_THREADS * VECTOR_VALUES;
/** Values of a head that one thread holds: heads are whole multiples. */
export const LANE_VALUES = 4;
/** Values of the longest head, which one warp holds. */
export const LONGEST_HEAD = WARP_THREADS * LANE_VALUES;
/** The sizes of heads for which there is a kernel of attention. */
export const ATTENTION_HEADS: readonly number[] = [32, 96];
/** Values that are rotated together before they are rounded to 8 bits: rows are whole groups. */
export const ROTATED_VALUES = 64;
/** Values of a run of a matrix in 8 bits, which lie together for all rows. */
export const RUN_VALUES = 128;
/** Values of the longest row in 8 bits: one block of 512 threads quantises it, 32 values a thread. */
export const LONGEST_INT8_ROW = 512 * 32;
/** Ranks that are added at a time: each adapter has whole runs of so many. */
export const THIN_RANKS = 32;
