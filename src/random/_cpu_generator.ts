import { boxMuller } from "./_cephes.ts";
import { checkCount, newValues } from "./_count.ts";
import { MersenneTwister } from "./_mersenne_twister.ts";
import type { Generator } from "./types.ts";

// As many values make a block: eight radii, eight angles.
const BLOCK = 16;
const HALF_BLOCK = BLOCK / 2;
const MOST_VALUES = 2 ** 32 - 1;

/**
 * `torch.Generator("cpu")` as `torch.randn` uses it: ATen's `normal_kernel` in
 * `native/cpu/DistributionTemplates.h`, for contiguous float32 tensors.
 */
export class CpuGenerator implements Generator {
  readonly device = "cpu";
  readonly seed: bigint;
  readonly #twister: MersenneTwister;
  #spareNormal: number | undefined;

  constructor(seed: bigint) {
    this.seed = seed;
    this.#twister = new MersenneTwister(Number(BigInt.asUintN(32, seed)));
  }

  randn(count: number): Float32Array {
    return newValues(count, MOST_VALUES, (out) => this.fillNormal(out));
  }

  fillNormal(out: Float32Array): void {
    checkCount(out.length, MOST_VALUES);
    if (out.length < BLOCK) this.#fillOneByOne(out);
    else this.#fillInBlocks(out);
  }

  #fillInBlocks(out: Float32Array): void {
    const size = out.length;
    for (let i = 0; i < size; i++) out[i] = this.#twister.nextFloat32();
    for (let start = 0; start + BLOCK <= size; start += BLOCK) transformBlock(out, start);

    // What does not fill a block is dropped: ATen draws the last 16 values anew.
    if (size % BLOCK === 0) return;
    for (let i = size - BLOCK; i < size; i++) out[i] = this.#twister.nextFloat32();
    transformBlock(out, size - BLOCK);
  }

  #fillOneByOne(out: Float32Array): void {
    for (let i = 0; i < out.length; i++) out[i] = this.#nextNormal();
  }

  /** `normal_distribution<double>` in ATen's `core/DistributionsHelper.h`. */
  #nextNormal(): number {
    const spare = this.#spareNormal;
    if (spare !== undefined) {
      this.#spareNormal = undefined;
      return spare;
    }
    const angle = 2 * Math.PI * this.#twister.nextFloat64();
    const radius = Math.sqrt(-2 * Math.log1p(-this.#twister.nextFloat64()));
    this.#spareNormal = radius * Math.sin(angle) + 0;
    return radius * Math.cos(angle) + 0;
  }
}

function transformBlock(values: Float32Array, start: number): void {
  for (let i = start; i < start + HALF_BLOCK; i++) boxMuller(values, i, i + HALF_BLOCK);
}
