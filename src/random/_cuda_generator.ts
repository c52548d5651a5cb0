import { checkCount, newValues } from "./_count.ts";
import { cosineNormal, direction, radius, sineNormal } from "./_cuda_normal.ts";
import { philox } from "./_philox.ts";
import type { Generator } from "./types.ts";

/** ATen's `block_size_bound`. */
export const THREADS_PER_BLOCK = 256;

// What one thread draws at a time, and one Philox block: cuRAND's curand_normal4.
const VALUES_PER_DRAW = 4;
// From here on ATen cuts a float32 tensor in two, to index it with 32 bits.
const MOST_VALUES = 2 ** 29;

/**
 * `torch.Generator("cuda")` as `torch.randn` uses it: ATen's `distribution_nullary_kernel` in
 * `native/cuda/DistributionTemplates.h`, for contiguous float32 tensors.
 *
 * Thread t of T draws four values at a time from its own stream; they are the tensor's elements
 * t, t + T, t + 2T and t + 3T, then it goes on at t + 4T. Values that fall behind the tensor's end
 * are not used: up to T values, each comes from a draw of its own.
 */
export class CudaGenerator implements Generator {
  readonly device = "cuda";
  readonly seed: bigint;
  readonly #mostBlocks: number;
  #drawsDone = 0;

  /** @param mostBlocks How many blocks of threads the GPU holds at a time. */
  constructor(seed: bigint, mostBlocks: number) {
    this.seed = seed;
    this.#mostBlocks = mostBlocks;
  }

  randn(count: number): Float32Array {
    return newValues(count, MOST_VALUES, (out) => this.fillNormal(out));
  }

  fillNormal(out: Float32Array): void {
    checkCount(out.length, MOST_VALUES);
    const size = out.length;
    const blocks = Math.min(Math.ceil(size / THREADS_PER_BLOCK), this.#mostBlocks);
    const threads = blocks * THREADS_PER_BLOCK;
    const keyLow = Number(BigInt.asUintN(32, this.seed));
    const keyHigh = Number(this.seed >> 32n);
    const words = new Uint32Array(VALUES_PER_DRAW);
    for (let start = 0; start < size; start += threads * VALUES_PER_DRAW) {
      const threadsAtWork = Math.min(threads, size - start);
      for (let thread = 0; thread < threadsAtWork; thread++) {
        philox(keyLow, keyHigh, thread, this.#drawsDone, words);
        writePair(out, start + thread, threads, words[0]!, words[1]!);
        writePair(out, start + thread + 2 * threads, threads, words[2]!, words[3]!);
      }
      this.#drawsDone += 1;
    }
  }
}

function writePair(
  out: Float32Array,
  index: number,
  stride: number,
  radiusWord: number,
  directionWord: number,
): void {
  if (index >= out.length) return;
  const distance = radius(radiusWord);
  const angle = direction(directionWord);
  out[index] = sineNormal(distance, angle);
  if (index + stride < out.length) out[index + stride] = cosineNormal(distance, angle);
}
