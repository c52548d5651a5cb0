/**
 * Parameter counts from the published architectures' dimensions, by hand; measurements on a CPU with
 * random weights (Linux's VmHWM) and on an H100 (nvidia-smi).
 */
import assert from "node:assert/strict";
import {
  estimateMemory,
  offloadThatFits,
  PUBLISHED_PARTS,
} from "../../src/pipeline/checkpoint/memory.ts";

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
  const flux = {
    role: "vae",
    deviceParameters: 49_545_475,
    picture: { kind: "AutoencoderKL", channels: 256 },
  } as const;
  within(estimateMemory([flux], "cpu", 1024).peak.none, 4.6e9, 0.1, "FLUX");
  const tiny = {
    role: "vae",
    deviceParameters: 1_229_443,
    picture: { kind: "AutoencoderTiny", channels: 64 },
  } as const;
  within(estimateMemory([tiny], "cpu", 2048).peak.none, 4.4e9, 0.1, "TAEF1");
});

Deno.test("the estimate for CUDA is within a tenth of what was measured", () => {
  // bench/results/cuda.json: random weights of the published sizes on an H100.
  const tiny = {
    role: "vae",
    deviceParameters: 1_229_443,
    picture: { kind: "AutoencoderTiny", channels: 64 },
  } as const;
  const parts = [...PUBLISHED_PARTS.filter(({ role }) => role !== "vae"), tiny];
  const { peak } = estimateMemory(parts, "cuda", 1024);
  within(peak.none, 19.0e9, 0.1, "none");
  within(peak.model, 9.4e9, 0.1, "model");
  within(peak.sequential, 3.28e9, 0.1, "sequential");
  const wider = parts.map((part) =>
    part.role === "transformer"
      ? { ...part, sequence: { ...part.sequence!, tokens: 96 ** 2 + 256 } }
      : part
  );
  within(estimateMemory(wider, "cuda", 1536).peak.model, 10.5e9, 0.1, "1536 × 1536");
});

Deno.test("offload is asked for where it helps, and no more than it helps", () => {
  const estimate = estimateMemory(PUBLISHED_PARTS, "cuda", 1024);
  assert.equal(offloadThatFits(estimate, 80 * GIB), "none");
  assert.equal(offloadThatFits(estimate, 16 * GIB), "model");
  assert.equal(offloadThatFits(estimate, 9.5 * GIB), "model");
  assert.equal(offloadThatFits(estimate, 8 * GIB), "sequential");
  assert.equal(offloadThatFits(estimate, 3 * GIB), undefined);
});

Deno.test("a larger picture takes more memory, a model without parts only the runtime's", () => {
  const at = (size: number) => estimateMemory(PUBLISHED_PARTS, "cuda", size).peak.none;
  assert(at(1536) > at(1024));
  const nothing = estimateMemory([], "cpu", 1024).peak;
  assert.equal(nothing.none, nothing.model);
});
