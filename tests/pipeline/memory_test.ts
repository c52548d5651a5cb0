/**
 * Parameter counts from the published architectures' dimensions, by hand; measurements on a CPU with
 * random weights (Linux's VmHWM) and on an H100 (nvidia-smi).
 */
import assert from "node:assert/strict";
import { estimateMemory, offloadThatFits, PUBLISHED_PARTS } from "../../src/pipeline/memory.ts";

const GIB = 2 ** 30;

function within(actual: number, expected: number, tolerance: number, what: string) {
  assert(Math.abs(actual / expected - 1) <= tolerance, `${what}: ${actual}, expected ${expected}`);
}

Deno.test("the published parts have the parameters that their dimensions make", () => {
  const part = (role: string) => PUBLISHED_PARTS.find((part) => part.role === role)!;
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

Deno.test("the estimate for a CPU is within a tenth of what was measured", () => {
  // 2 layers and all four refiners, 518,006,208 parameters: VmHWM 4257468 KiB at 1024 × 1024.
  const sequence = { tokens: 4096 + 256, width: 2304, heads: 24 };
  const part = { role: "transformer", deviceParameters: 518_006_208, sequence } as const;
  within(estimateMemory([part], "cpu", 1024).peak.none, 4_257_468 * 1024, 0.1, "1024 × 1024");
  const small = { ...part, sequence: { ...sequence, tokens: 1024 + 256 } };
  within(estimateMemory([small], "cpu", 512).peak.none, 2_540_964 * 1024, 0.1, "512 × 512");
  // FLUX's decoder at 1024 × 1024 pixels took 4.6 GB, TAEF1 at 2048 × 2048 4.4 GB.
  const flux = { role: "vae", deviceParameters: 49_545_475, picture: { channels: 256 } } as const;
  within(estimateMemory([flux], "cpu", 1024).peak.none, 4.6e9, 0.1, "FLUX");
  const tiny = { role: "vae", deviceParameters: 1_229_443, picture: { channels: 64 } } as const;
  within(estimateMemory([tiny], "cpu", 2048).peak.none, 4.4e9, 0.1, "TAEF1");
});

Deno.test("the estimate for CUDA is within a tenth of what was measured", () => {
  // 36 blocks alone: 6.3 GB of weights, 7.8 GB in use during a forward of 4352 tokens.
  const sequence = { tokens: 4352, width: 2304, heads: 24 };
  const part = { role: "transformer", deviceParameters: 6.29e9 / 2, sequence } as const;
  within(estimateMemory([part], "cuda", 1024).peak.none, 7.8e9, 0.1, "36 blocks");
});

Deno.test("offload is asked for where it helps, and no more than it helps", () => {
  // By hand, CUDA: weights 13.9 GB + FLUX's decoder 2.1 + runtime 0.5; alone, the transformer
  // with 7.0 + 1.0 + 0.5.
  const estimate = estimateMemory(PUBLISHED_PARTS, "cuda", 1024);
  within(estimate.peak.none, 16.5e9, 0.03, "none");
  within(estimate.peak.model, 8.5e9, 0.03, "model");
  assert.equal(offloadThatFits(estimate, 80 * GIB), "none");
  assert.equal(offloadThatFits(estimate, 24 * GIB), "none");
  assert.equal(offloadThatFits(estimate, 12 * GIB), "model");
  assert.equal(offloadThatFits(estimate, 7.5 * GIB), undefined);
});

Deno.test("a larger picture takes more memory, a model without parts only the runtime's", () => {
  const at = (size: number) => estimateMemory(PUBLISHED_PARTS, "cuda", size).peak.none;
  assert(at(1536) > at(1024));
  const nothing = estimateMemory([], "cpu", 1024).peak;
  assert.equal(nothing.none, nothing.model);
});
