import { RequestError } from "../errors.ts";
import { CpuGenerator } from "./_cpu_generator.ts";
import { CudaGenerator, THREADS_PER_BLOCK } from "./_cuda_generator.ts";
import { type Generator, GENERATOR_DEVICES, type GeneratorOptions } from "./types.ts";

const SEED_BITS = 64;
const LEAST_SEED = -(2n ** 63n);
const SEED_END = 2n ** 64n;

// An H100 (SXM), the GPU that the stored values of the tests were drawn on.
const DEFAULT_MULTIPROCESSORS = 132;
const DEFAULT_THREADS_PER_MULTIPROCESSOR = 2048;

/**
 * Makes a generator whose values are, bit for bit, those of
 * `torch.randn(shape, dtype=torch.float32, device=device, generator=g)` with
 * `g = torch.Generator(device).manual_seed(seed)`, call after call.
 *
 * The reference is PyTorch 2.11 with CUDA 13 on x86-64: ATen's AVX2 code for `"cpu"`, which also
 * runs where there is AVX-512, and an H100 for `"cuda"`. Two things are outside that promise. A CPU
 * without AVX2 makes PyTorch itself round some values differently, by an ulp or so. And calls for
 * fewer than 16 values on `"cpu"` go through the C library's float64 logarithm, sine and cosine,
 * where this uses JavaScript's: once in some hundred million values, the last bit may differ.
 *
 * @param options The seed, the device and, for `"cuda"`, the size of the GPU.
 * @returns A generator at the start of its stream.
 * @throws {RequestError} When the seed is not an integer of 64 bits, the device is unknown, or the
 * GPU described cannot exist.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * // torch.randn(3, generator=torch.Generator("cpu").manual_seed(0))
 * const generator = createGenerator({ seed: 0 });
 * assert.deepEqual(
 *   Array.from(generator.randn(3), (value) => value.toFixed(4)),
 *   ["1.5410", "-0.2934", "-2.1788"],
 * );
 * ```
 *
 * @example Noise for a latent of 1 × 16 × 32 × 32, as a CUDA generator draws it
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const noise = createGenerator({ seed: 42, device: "cuda" }).randn(16 * 32 * 32);
 * assert.equal(noise.length, 16384);
 * ```
 */
export function createGenerator(options: GeneratorOptions): Generator {
  const device = options.device ?? "cpu";
  if (!GENERATOR_DEVICES.includes(device)) {
    throw new RequestError(
      `There is no generator for the device ${JSON.stringify(device)}; ` +
        `expected one of ${GENERATOR_DEVICES.map((name) => JSON.stringify(name)).join(", ")}.`,
      {
        zh: `没有设备 ${JSON.stringify(device)} 的随机数生成器；应为 ` +
          `${GENERATOR_DEVICES.map((name) => JSON.stringify(name)).join("、")} 之一。`,
      },
    );
  }
  const seed = checkedSeed(options.seed);
  if (device === "cpu") return new CpuGenerator(seed);

  const multiprocessors = options.multiProcessorCount ?? DEFAULT_MULTIPROCESSORS;
  const threads = options.maxThreadsPerMultiProcessor ?? DEFAULT_THREADS_PER_MULTIPROCESSOR;
  checkAtLeast("multiProcessorCount", multiprocessors, 1);
  checkAtLeast("maxThreadsPerMultiProcessor", threads, THREADS_PER_BLOCK);
  return new CudaGenerator(seed, multiprocessors * Math.floor(threads / THREADS_PER_BLOCK));
}

function checkedSeed(given: number | bigint): bigint {
  const allowed = "a seed is an integer from -2^63 to 2^64 - 1";
  const allowedZh = "种子应为 -2^63 到 2^64 - 1 的整数";
  if (typeof given !== "bigint" && !Number.isSafeInteger(given)) {
    const found = typeof given === "number" ? given : `a ${typeof given}`;
    throw new RequestError(
      Number.isInteger(given)
        ? `The seed ${given} is too large for a JavaScript number to hold every digit of; ` +
          `give it as a bigint (9007199254740993n, say): ${allowed}.`
        : `The seed is ${found}; ${allowed}.`,
      {
        zh: Number.isInteger(given)
          ? `种子 ${given} 太大，JavaScript 的 number 存不下它的每一位；` +
            `请用 bigint（例如 9007199254740993n）：${allowedZh}。`
          : `种子是 ${typeof given === "number" ? given : `${typeof given} 类型`}；${allowedZh}。`,
      },
    );
  }
  const seed = BigInt(given);
  if (seed < LEAST_SEED || seed >= SEED_END) {
    throw new RequestError(`The seed ${seed} does not fit in 64 bits; ${allowed}.`, {
      zh: `种子 ${seed} 超出 64 位；${allowedZh}。`,
    });
  }
  return BigInt.asUintN(SEED_BITS, seed);
}

function checkAtLeast(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new RequestError(`${name} is ${value}; expected an integer of at least ${least}.`, {
    zh: `${name} 是 ${value}；应为不小于 ${least} 的整数。`,
  });
}
