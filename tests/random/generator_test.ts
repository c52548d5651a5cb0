/**
 * Properties of torch.Generator and torch.randn, as PyTorch's documentation and ATen's
 * DistributionTemplates.h (cpu and cuda) imply them.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { RequestError } from "../../src/errors.ts";
import { createGenerator, type GeneratorOptions, randomSeed } from "../../src/random/mod.ts";

// The smallest GPU there could be: one block of threads at a time.
const SMALL_GPU_THREADS = 256;
const SMALL_GPU = {
  device: "cuda",
  multiProcessorCount: 1,
  maxThreadsPerMultiProcessor: SMALL_GPU_THREADS,
} as const;
// Four values a thread: a call for that many makes every thread draw once.
const SMALL_GPU_PASS = 4 * SMALL_GPU_THREADS;
const H100_THREADS = 132 * 2048;

const seed = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n });
const device = fc.constantFrom("cpu" as const, "cuda" as const);

function draw(options: GeneratorOptions, ...counts: number[]): Float32Array {
  const generator = createGenerator(options);
  const values = counts.flatMap((count) => Array.from(generator.randn(count)));
  return Float32Array.from(values);
}

Deno.test("the same seed gives the same values, in one call or the next", () => {
  fc.assert(
    fc.property(seed, device, fc.array(fc.nat(300), { maxLength: 5 }), (seed, device, counts) => {
      assert.deepEqual(draw({ seed, device }, ...counts), draw({ seed, device }, ...counts));
    }),
  );
});

Deno.test("a generator goes on: a second call gives other values than the first", () => {
  fc.assert(
    fc.property(seed, device, fc.integer({ min: 2, max: 300 }), (seed, device, count) => {
      const generator = createGenerator({ seed, device });
      assert.notDeepEqual(generator.randn(count), generator.randn(count));
    }),
  );
});

Deno.test("fillNormal writes what randn returns, into any part of an array", () => {
  fc.assert(
    fc.property(seed, device, fc.nat(300), fc.nat(20), (seed, device, count, offset) => {
      const whole = new Float32Array(offset + count + 1).fill(NaN);
      createGenerator({ seed, device }).fillNormal(whole.subarray(offset, offset + count));
      assert.deepEqual(whole.slice(offset, offset + count), draw({ seed, device }, count));
      assert.ok(whole.subarray(0, offset).every(Number.isNaN) && Number.isNaN(whole.at(-1)));
    }),
  );
});

Deno.test("a call for no values leaves the generator as it was", () => {
  fc.assert(
    fc.property(seed, device, fc.nat(40), fc.nat(40), (seed, device, before, after) => {
      assert.deepEqual(
        draw({ seed, device }, before, 0, after),
        draw({ seed, device }, before, after),
      );
    }),
  );
});

Deno.test("negative seeds count from 2^64 downwards", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: -1n }), device, (seed, device) => {
      const generator = createGenerator({ seed, device });
      assert.equal(generator.seed, seed + 2n ** 64n);
      assert.deepEqual(generator.randn(20), draw({ seed: seed + 2n ** 64n, device }, 20));
    }),
  );
});

Deno.test("a CPU generator uses the low 32 bits of the seed, a CUDA generator all 64", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 32n - 1n), fc.bigInt(1n, 2n ** 32n - 1n), (low, high) => {
      const long = low + (high << 32n);
      assert.deepEqual(draw({ seed: long }, 20), draw({ seed: low }, 20));
      assert.notDeepEqual(
        draw({ seed: long, device: "cuda" }, 20),
        draw({ seed: low, device: "cuda" }, 20),
      );
    }),
  );
});

Deno.test("on the CPU, whole blocks of 16 values may be drawn in one call or several", () => {
  fc.assert(
    fc.property(seed, fc.array(fc.integer({ min: 1, max: 20 })), (seed, blocks) => {
      const counts = blocks.map((count) => 16 * count);
      const total = counts.reduce((sum, count) => sum + count, 0);
      assert.deepEqual(draw({ seed }, ...counts), draw({ seed }, total));
    }),
  );
});

Deno.test("on the CPU, calls for fewer than 16 values continue one sequence of values", () => {
  fc.assert(
    fc.property(seed, fc.array(fc.nat(15), { maxLength: 8 }), (seed, counts) => {
      const total = counts.reduce((sum, count) => sum + count, 0);
      const oneByOne = draw({ seed }, ...new Array<number>(total).fill(1));
      assert.deepEqual(draw({ seed }, ...counts), oneByOne);
    }),
  );
});

Deno.test("on the CPU, an incomplete block changes the last 16 values and no others", () => {
  fc.assert(
    fc.property(seed, fc.integer({ min: 16, max: 200 }), (seed, count) => {
      const rounded = Math.ceil(count / 16) * 16;
      assert.deepEqual(
        draw({ seed }, count).slice(0, count - 16),
        draw({ seed }, rounded).slice(0, count - 16),
      );
    }),
  );
});

Deno.test("on CUDA, whole passes of the GPU may be drawn in one call or several", () => {
  fc.assert(
    fc.property(
      seed,
      fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 }),
      (seed, passes) => {
        const counts = passes.map((count) => SMALL_GPU_PASS * count);
        const total = counts.reduce((sum, count) => sum + count, 0);
        const options = { seed, ...SMALL_GPU };
        assert.deepEqual(draw(options, ...counts), draw(options, total));
      },
    ),
    { numRuns: 20 },
  );
});

Deno.test("on CUDA, calls that fit the GPU's threads are beginnings of one another", () => {
  fc.assert(
    fc.property(seed, fc.nat(2000), fc.nat(2000), (seed, a, b) => {
      const options = { seed, device: "cuda" } as const;
      const [short, long] = a < b ? [a, b] : [b, a];
      assert.deepEqual(draw(options, short), draw(options, long).slice(0, short));
    }),
  );
});

Deno.test("on CUDA, the size of the GPU shows only in calls with more values than threads", () => {
  fc.assert(
    fc.property(seed, fc.integer({ min: 1, max: SMALL_GPU_THREADS }), (seed, count) => {
      assert.deepEqual(draw({ seed, ...SMALL_GPU }, count), draw({ seed, device: "cuda" }, count));
    }),
  );
  const count = 4 * SMALL_GPU_THREADS;
  assert.notDeepEqual(
    draw({ seed: 0, ...SMALL_GPU }, count),
    draw({ seed: 0, device: "cuda" }, count),
  );
});

Deno.test("on CUDA, a call advances the stream by its passes, not by its values", () => {
  fc.assert(
    fc.property(seed, fc.integer({ min: 1, max: SMALL_GPU_PASS }), (seed, count) => {
      const options = { seed, ...SMALL_GPU };
      assert.deepEqual(draw(options, count, 10).slice(-10), draw(options, 1, 10).slice(-10));
    }),
    { numRuns: 30 },
  );
});

Deno.test("values are finite, have mean 0 and standard deviation 1, and are never -0", () => {
  const count = 100_000;
  // More than six standard errors of the mean and eight of the standard deviation.
  const tolerance = 0.02;
  fc.assert(
    fc.property(seed, device, (seed, device) => {
      const values = createGenerator({ seed, device }).randn(count);
      let sum = 0;
      let squares = 0;
      for (const value of values) {
        if (!Number.isFinite(value) || Object.is(value, -0)) assert.fail(`${value} was drawn`);
        sum += value;
        squares += value * value;
      }
      const mean = sum / count;
      assert.ok(Math.abs(mean) < tolerance, `mean ${mean}`);
      const deviation = Math.sqrt(squares / count - mean * mean);
      assert.ok(Math.abs(deviation - 1) < tolerance, `standard deviation ${deviation}`);
    }),
    { numRuns: 20 },
  );
});

Deno.test("what is not an integer of 64 bits is refused as a seed, with what is allowed", () => {
  const allowed = (error: unknown) =>
    error instanceof RequestError && error.message.includes("from -2^63 to 2^64 - 1");
  for (const seed of [NaN, Infinity, -Infinity, 0.5, -1.25, 2 ** 53, -(2 ** 60)]) {
    assert.throws(() => createGenerator({ seed }), allowed, String(seed));
  }
  const outside = fc.oneof(
    fc.bigInt({ min: 2n ** 64n, max: 2n ** 80n }),
    fc.bigInt({ min: -(2n ** 80n), max: -(2n ** 63n) - 1n }),
  );
  fc.assert(
    fc.property(outside, device, (seed, device) => {
      assert.throws(() => createGenerator({ seed, device }), allowed);
    }),
  );
});

Deno.test("unknown devices, impossible GPUs and impossible counts are refused by name", () => {
  const refused = (options: unknown, pattern: RegExp) =>
    assert.throws(
      () => createGenerator(options as GeneratorOptions),
      (error: unknown) => error instanceof RequestError && pattern.test(error.message),
    );
  refused({ seed: 0, device: "mps" }, /"mps".*"cpu", "cuda"/);
  refused({ seed: "0" }, /seed is a string;/);
  refused({ seed: 0, device: "cuda", multiProcessorCount: 0 }, /^multiProcessorCount is 0;/);
  refused({ seed: 0, device: "cuda", maxThreadsPerMultiProcessor: 255 }, /at least 256/);
  for (const device of ["cpu", "cuda"] as const) {
    for (const count of [-1, 1.5, NaN, 2 ** 40]) {
      assert.throws(() => createGenerator({ seed: 0, device }).randn(count), RequestError);
    }
  }
});

Deno.test("randomSeed gives integers of 32 bits that differ", () => {
  const seeds = Array.from({ length: 20 }, randomSeed);
  assert.ok(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32));
  // All equal by chance once in 2^608 runs.
  assert.ok(new Set(seeds).size > 1);
});

Deno.test("an H100's threads are where its calls begin to share draws", () => {
  // The value after the last thread's first one is that of thread 0's second: unlike in a call
  // that fits, it depends on the same Philox block as the first value (see
  // distribution_elementwise_grid_stride_kernel), so a larger GPU gives another value there.
  const count = H100_THREADS + 1;
  const h100 = createGenerator({ seed: 3, device: "cuda" }).randn(count);
  const larger = createGenerator({ seed: 3, device: "cuda", multiProcessorCount: 144 })
    .randn(count);
  assert.deepEqual(h100.subarray(0, H100_THREADS), larger.subarray(0, H100_THREADS));
  assert.notEqual(h100[H100_THREADS], larger[H100_THREADS]);
});
