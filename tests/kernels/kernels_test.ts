import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import ptx from "../../src/kernels/kernels.ptx" with { type: "text" };
import source from "../../src/kernels/kernels.cu" with { type: "text" };

Deno.test("kernels.ptx was made from kernels.cu as it is", () => {
  const hash = createHash("sha256").update(source).digest("hex");
  assert.equal(ptx.split("\n", 1)[0], `// kernels.cu, SHA-256 ${hash}`);
});

Deno.test("kernels.ptx has every kernel in both types, for GPUs from Ampere on", () => {
  const entries = [...ptx.matchAll(/\.entry (\w+)\(/g)].map(([, name]) => name).sort();
  const ofRanks = (name: string) => ["32", "64", "any"].map((ranks) => `${name}_${ranks}`);
  const kernels = [
    ...ofRanks("adapted_swiglu"),
    ...ofRanks("add_thin"),
    ...["norm_add_norm", "split_heads", "swiglu"],
  ];
  assert.deepEqual(entries, kernels.flatMap((name) => [`${name}_bf16`, `${name}_f16`]));
  assert.match(ptx, /^\.target sm_80$/m);
});
