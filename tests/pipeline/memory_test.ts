/**
 * Parameter counts from the published architectures' dimensions, by hand; measurements on a CPU with
 * random weights (Linux's VmHWM) and on an H100 (nvidia-smi).
 */
import assert from "node:assert/strict";
import {
  budgetOf,
  offloadFor,
  offloadForGpu,
  requireMemory,
  requireModelMemory,
  spareOnGpu,
} from "../../src/pipeline/_memory_budget.ts";
import {
  estimateMemory,
  type MemoryOptions,
  offloadThatFits,
} from "../../src/pipeline/checkpoint/memory.ts";
import { partShape } from "../../src/pipeline/checkpoint/part_needs.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { NEWBIE } from "../../src/families/mod.ts";
import type { SizedPart } from "../../src/pipeline/load_parts.ts";
import { InsufficientMemoryError } from "../../src/pipeline/insufficient_memory_error.ts";

const GIB = 2 ** 30;

/** The published model with AutoencoderTiny. */
const WITH_TINY: readonly SizedPart[] = [
  ...NEWBIE.published.parts.filter(({ name }) => name !== "vae"),
  {
    name: "vae",
    deviceParameters: 1_229_443,
    picture: { kind: "AutoencoderTiny", channels: 64 },
  },
];

function within(actual: number, expected: number, tolerance: number, what: string) {
  assert(Math.abs(actual / expected - 1) <= tolerance, `${what}: ${actual}, expected ${expected}`);
}

Deno.test("the published parts have the parameters that their dimensions make", () => {
  const part = (name: string) => NEWBIE.published.parts.find((part) => part.name === name)!;
  // Blocks: qkv, out, q and k norm, three feed-forward matrices, four norms, modulation.
  const plain = 2304 * 40 * 96 + 2304 * 2304 + 2 * 96 + 3 * 2304 * 9216 + 4 * 2304;
  const modulated = plain + (1024 + 1) * 4 * 2304;
  const linear = (from: number, to: number) => from * to + to;
  const dit = 38 * modulated + 2 * plain + linear(64, 2304) + linear(256, 1024) +
    linear(1024, 1024) + 2560 + linear(2560, 2304) + 1024 + linear(1024, 1024) +
    linear(2048, 1024) + linear(2304, 64) + linear(1024, 2304);
  assert.equal(part("transformer").parameters, dit);
  // Layers: q, k, v, out, three feed-forward matrices, four norms of the width, two of a head.
  const layer = 2560 * 2048 * 2 + 2560 * 1024 * 2 + 3 * 2560 * 10240 + 4 * 2560 + 2 * 256;
  assert.equal(part("textEncoder").deviceParameters, 33 * layer);
  assert.equal(part("textEncoder").parameters, 262_208 * 2560 + 34 * layer + 2560);
  const clipLayer = linear(1024, 3072) + linear(1024, 1024) + linear(1024, 4096) +
    linear(4096, 1024) + 4 * 1024;
  assert.equal(part("clipModel").parameters, 24 * clipLayer + 250_003 * 1024 + 2 * 1024);
});

Deno.test("in 8 bits a matrix of the layers takes a byte a value, and all else what it took", async () => {
  const [transformer, textEncoder] = NEWBIE.published.parts;
  const products = 2304 * 40 * 96 + 2304 * 2304 + 3 * 2304 * 9216;
  const ofText = 2560 * 2048 * 2 + 2560 * 1024 * 2 + 3 * 2560 * 10240;
  // 36 layers and 2 noise refiners; the context refiners run once a prompt.
  assert.equal(transformer!.int8Parameters, 38 * products);
  // All layers but the last, which no graph has.
  assert.equal(textEncoder!.int8Parameters, 33 * ofText);
  const weights = (dtype: "bfloat16" | "int8") =>
    estimateMemory(NEWBIE.published.parts, "cuda", 1024, { dtype }).parts.map((part) =>
      part.weights
    );
  const [whole, text, ...others] = weights("bfloat16");
  const [rounded, textRounded, ...same] = weights("int8");
  assert.equal(whole! - rounded!, 38 * products);
  assert.equal(text! - textRounded!, 33 * ofText);
  assert.deepEqual(same, others);

  // The demo's own matrices, found by their names: eight layers and a refiner; five layers.
  const int8Parameters = async (name: "transformer" | "textEncoder", folder: string) => {
    const file = `models/demo/${folder}/config.json`;
    const json = JSON.parse(await Deno.readTextFile(file));
    const weights = await openWeights(`models/demo/${folder}`);
    return partShape(name, json, file, weights, NEWBIE).int8Parameters;
  };
  const demo = await int8Parameters("transformer", "next-dit");
  assert.equal(demo, 9 * (320 * 640 + 320 * 320 + 3 * 320 * 768));
  const demoText = await int8Parameters("textEncoder", "transformer");
  assert.equal(demoText, 5 * (2 * 256 * 256 + 2 * 256 * 128 + 3 * 256 * 576));
});

Deno.test("which mode fits a card of a size is what docs/speed.md says", () => {
  // `create` in bfloat16, and `create:fast` in both.
  const modes = (gibibytes: number, parts: readonly SizedPart[]) =>
    ([{}, { kernels: "toolkit" }, { kernels: "toolkit", dtype: "int8" }] as const)
      .map((options) => {
        const estimate = estimateMemory(parts, "cuda", 1024, options);
        // A driver and a desktop keep some of it.
        return offloadThatFits(estimate, gibibytes * GIB - 0.7e9);
      });
  const { parts } = NEWBIE.published;
  assert.deepEqual(modes(8, parts), ["sequential", "sequential", "model"]);
  for (const size of [10, 12]) assert.deepEqual(modes(size, parts), ["model", "model", "model"]);
  assert.deepEqual(modes(16, parts), ["model", "model", "none"]);
  assert.deepEqual(modes(24, parts), ["model", "none", "none"]);
  assert.deepEqual(modes(32, parts), ["none", "none", "none"]);
  assert.deepEqual(modes(12, WITH_TINY), ["model", "model", "none"]);
  assert.deepEqual(modes(16, WITH_TINY), ["model", "none", "none"]);
  assert.deepEqual(modes(24, WITH_TINY), ["none", "none", "none"]);
});

/** The demo model's own numbers, of its headers and configurations. */
const DEMO = [
  {
    name: "transformer",
    deviceParameters: 14_769_408,
    sampleSize: 32,
    sequence: { tokens: 512, imageTokens: 256, width: 320, heads: 10 },
  },
  {
    name: "textEncoder",
    deviceParameters: 3_200_640,
    sequence: { tokens: 512, width: 256, heads: 4, causal: true },
  },
  {
    name: "clipModel",
    deviceParameters: 1_113_216,
    sequence: { tokens: 512, width: 192, heads: 6 },
  },
  {
    name: "vae",
    deviceParameters: 1_229_443,
    pixelsPerLatent: 8,
    picture: { kind: "AutoencoderTiny", channels: 64 },
  },
] as const;

Deno.test("the estimate for a CPU is within a tenth of what was measured", () => {
  // Linux's VmHWM of deno task create, one step, with the longest prompt at 256 × 256.
  const demo = (size: number) => estimateMemory(DEMO, "cpu", size).peak.none;
  within(demo(256), 344e6, 0.1, "256 × 256");
  within(demo(512), 525.8e6, 0.1, "512 × 512");
  within(demo(1024), 1411.7e6, 0.1, "1024 × 1024");
  // 2048 × 2048 without the decoder.
  const withoutDecoder = [
    ...DEMO.slice(0, 3),
    { name: "vae", deviceParameters: 0, pixelsPerLatent: 8 },
  ] as const;
  within(estimateMemory(withoutDecoder, "cpu", 2048).peak.none, 514e6, 0.1, "2048 × 2048");
  // FLUX's decoder at 1024 × 1024 pixels took 4.6 GB, the demo's at 2048 × 2048 in
  // tiles 2.48 GB with all parts loaded and no other at work.
  const flux = {
    name: "vae",
    deviceParameters: 49_545_475,
    picture: { kind: "AutoencoderKL", channels: 256 },
  } as const;
  within(estimateMemory([flux], "cpu", 1024).peak.none, 4.6e9, 0.1, "FLUX");
  const idle = DEMO.map(({ deviceParameters, name }) =>
    name === "vae" ? DEMO[3] : { name, deviceParameters }
  );
  within(estimateMemory(idle, "cpu", 2048).peak.none, 2.48e9, 0.1, "the demo's decoder");
});

Deno.test("a picture's tokens grow with its pixels, a caption's do not", () => {
  const workspace = (size: number) => estimateMemory(DEMO, "cpu", size).parts[0]!.workspace;
  // 16 pixels a token and a caption of 256.
  assert.equal(workspace(512) / workspace(256), (32 ** 2 + 256) / (16 ** 2 + 256));
  const caption = (size: number) => estimateMemory(DEMO, "cpu", size).parts[1]!.workspace;
  assert.equal(caption(512), caption(256));
});

const GB = 1e9;
const NEEDS = { parts: DEMO, offload: "none", multiple: 16 } as const;

Deno.test("a picture that cannot fit is refused with what it takes, what there is and what would fit", () => {
  const limited = budgetOf(
    { total: 64 * GB, available: 0.4 * GB, limit: 0.5 * GB, swapFree: 0 },
    0.1e9,
  );
  assert.deepEqual(limited, { bytes: 0.5 * GB, isLimit: true });
  const refused = (width: number, height: number) => {
    try {
      requireMemory({ ...NEEDS, width, height }, limited);
    } catch (error) {
      assert(error instanceof InsufficientMemoryError);
      return error;
    }
  };
  assert.equal(refused(256, 256), undefined);
  const error = refused(1024, 2048)!;
  const { fits } = error.shortage;
  assert(fits !== undefined && fits.width > 256 && fits.height < 1024);
  assert.equal(fits.width % 16 + fits.height % 16, 0);
  assert.equal(refused(fits.width, fits.height), undefined, "what is offered does fit");
  for (const language of ["en", "zh"] as const) {
    const said = error.explain(language);
    assert.match(said, /1024 × 2048/);
    assert.match(said, /\d GB.*500 MB/);
    assert(said.includes(`${fits.width} × ${fits.height}`), said);
  }
});

Deno.test("a model that cannot fit names the mode in which it would, or none", () => {
  const parts = NEWBIE.published.parts;
  const ask = (gigabytes: number) => () =>
    requireModelMemory(parts, "none", { bytes: gigabytes * GB, isLimit: false });
  ask(64)();
  assert.throws(ask(20), { message: /33 GB.*20 GB.*--offload model/ });
  assert.throws(ask(2), { message: /no size of this model would fit/ });
});

Deno.test("on a CPU the mode follows the memory, and is none where that is not known", () => {
  const mode = (gigabytes: number) =>
    offloadFor(NEWBIE.published.parts, { bytes: gigabytes * GB, isLimit: false });
  assert.deepEqual([mode(64), mode(20), mode(8)], ["none", "model", "sequential"]);
  assert.equal(offloadFor(NEWBIE.published.parts, undefined), "none");
});

Deno.test("without a limit, swap counts; with one, what others of the group hold does not", () => {
  const memory = { total: 16 * GB, available: 4 * GB, swapFree: 2 * GB };
  assert.deepEqual(budgetOf(memory, GB), { bytes: 7 * GB, isLimit: false });
  const limited = { ...memory, available: 3 * GB, limit: 8 * GB };
  assert.deepEqual(budgetOf(limited, GB), { bytes: 4 * GB, isLimit: true });
});

Deno.test("the estimate for CUDA is within a tenth of what was measured", () => {
  // bench/results/cuda.json: random weights of the published sizes on an H100.
  const { peak } = estimateMemory(WITH_TINY, "cuda", 1024);
  within(peak.none, 19.0e9, 0.1, "none");
  within(peak.model, 9.4e9, 0.1, "model");
  within(peak.sequential, 3.28e9, 0.1, "sequential");
  const own = (dtype: "bfloat16" | "int8") =>
    estimateMemory(WITH_TINY, "cuda", 1024, { dtype, kernels: "toolkit" }).peak.none;
  // bench/SPEED.md: on an H200.
  within(own("bfloat16"), 16.16e9, 0.02, "the toolkit's kernels");
  within(own("int8"), 10.23e9, 0.02, "int8");
  const wider = WITH_TINY.map((part) =>
    part.name === "transformer"
      ? { ...part, sequence: { ...part.sequence!, tokens: 96 ** 2 + 256 } }
      : part
  );
  within(estimateMemory(wider, "cuda", 1536).peak.model, 10.5e9, 0.1, "1536 × 1536");
});

Deno.test("how large a picture is decoded in one run follows what a GPU's memory leaves", () => {
  const { parts } = NEWBIE.published;
  const fits = (gigabytes: number, offload: "none" | "model", side: number) =>
    spareOnGpu(parts, { device: "cuda", memoryFree: gigabytes * GB }, offload, {})!
      .fitsWhole(side ** 2);
  for (const gigabytes of [1, 12, 140]) assert(fits(gigabytes, "model", 1024), String(gigabytes));
  // FLUX's decoder in 16 bits holds 12.7 maps of 256 channels, and half as much again.
  const needed = 1.5 * 12.7 * 256 * 1536 ** 2 * 2 / GB;
  const [vae] = parts.filter(({ name }) => name === "vae");
  const alone = needed + 0.574 + 2 * vae!.deviceParameters / GB;
  assert.deepEqual([fits(alone + 0.1, "model", 1536), fits(alone - 0.1, "model", 1536)], [
    true,
    false,
  ]);
  assert.deepEqual([fits(140, "none", 2048), fits(140, "none", 2064)], [true, false]);
  // The other parts stay, too, with what they worked in.
  assert(!fits(alone + 10, "none", 1536));
  // By the toolkit's kernels with their weights alone; a network that enlarges pictures has 4 GB.
  const weights = parts.reduce((sum, { deviceParameters }) => sum + 2 * deviceParameters, 0) / GB;
  const loaded = needed + 0.574 + weights + 4;
  const spare = (gigabytes: number, options: MemoryOptions) =>
    spareOnGpu(parts, { device: "cuda", memoryFree: gigabytes * GB }, "none", options)!;
  const own = { kernels: "toolkit" } as const;
  assert.deepEqual([loaded + 0.1, loaded - 0.1].map((gb) => spare(gb, own).fitsWhole(1536 ** 2)), [
    true,
    false,
  ]);
  assert(!spare(loaded + 0.1, {}).fitsWhole(1536 ** 2));
  assert.equal(spareOnGpu(parts, { device: "cuda" }, "none", {}), undefined);
  assert.equal(spareOnGpu(parts, { device: "cpu", memoryFree: 9e9 }, "none", {}), undefined);
});

Deno.test("offload is asked for where it helps, and no more than it helps", () => {
  const estimate = estimateMemory(NEWBIE.published.parts, "cuda", 1024);
  assert.equal(offloadThatFits(estimate, 80 * GIB), "none");
  assert.equal(offloadThatFits(estimate, 16 * GIB), "model");
  assert.equal(offloadThatFits(estimate, 9.5 * GIB), "model");
  assert.equal(offloadThatFits(estimate, 8 * GIB), "sequential");
  assert.equal(offloadThatFits(estimate, 3 * GIB), undefined);
});

Deno.test("a larger picture takes more memory, a model without parts only the runtime's", () => {
  const at = (size: number) => estimateMemory(NEWBIE.published.parts, "cuda", size).peak.none;
  assert(at(1536) > at(1024));
  const nothing = estimateMemory([], "cpu", 1024).peak;
  assert.equal(nothing.none, nothing.model);
});

Deno.test("where no mode fits, the one that takes least is tried, on a GPU and on a CPU", () => {
  const { parts } = NEWBIE.published;
  for (const memoryFree of [0, 1e9]) {
    assert.equal(offloadForGpu(parts, { device: "cuda", memoryFree }, {}), "sequential");
    assert.equal(offloadFor(parts, { bytes: memoryFree, isLimit: true }), "sequential");
  }
  assert.equal(offloadForGpu(parts, { device: "cuda", memoryFree: 80e9 }, {}), "none");
  assert.equal(offloadForGpu(parts, { device: "cuda" }, {}), "model");
});
