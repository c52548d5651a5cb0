import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import hopper_attention from "../../src/kernels/hopper_attention.ptx" with { type: "text" };
import hopper_gated from "../../src/kernels/hopper_gated.ptx" with { type: "text" };
import hopper_int8 from "../../src/kernels/hopper_int8.ptx" with { type: "text" };
import int8 from "../../src/kernels/int8.ptx" with { type: "text" };
import ptx from "../../src/kernels/kernels.ptx" with { type: "text" };
import { kernelSource } from "../../tasks/checkout/kernel_source.ts";

Deno.test("each .ptx was made from the .cu beside it as it is", async () => {
  const files = { kernels: ptx, int8, hopper_attention, hopper_gated, hopper_int8 };
  for (const [name, assembly] of Object.entries(files)) {
    const source = await kernelSource(`src/kernels/${name}.cu`);
    const hash = createHash("sha256").update(source).digest("hex");
    assert.equal(assembly.split("\n", 1)[0], `// ${name}.cu, SHA-256 ${hash}`);
  }
});

/** The kernels in a file, in the order of the alphabet. */
function entriesOf(assembly: string): readonly (string | undefined)[] {
  return [...assembly.matchAll(/\.entry (\w+)\(/g)].map(([, name]) => name).sort();
}

Deno.test("kernels.ptx has every kernel in both types, for GPUs from Ampere on", () => {
  const ofRanks = (name: string) => ["32", "64", "any"].map((ranks) => `${name}_${ranks}`);
  const kernels = [
    ...ofRanks("adapted_swiglu"),
    ...ofRanks("add_thin"),
    ...["norm_add_norm", "split_heads", "swiglu"],
  ];
  assert.deepEqual(entriesOf(ptx), kernels.flatMap((name) => [`${name}_bf16`, `${name}_f16`]));
  assert.match(ptx, /^\.target sm_80$/m);
});

Deno.test("int8.ptx has the kernels of products in 8 bits, for GPUs from Ampere on", () => {
  assert.deepEqual(entriesOf(int8), [
    // Products give bfloat16.
    ...["int8_gated_product_bf16", "int8_product_bf16"],
    ...["norm_add_norm_int8_bf16", "norm_add_norm_int8_f16"],
    // Weights are read in float32, too.
    ...["quantize_rows_bf16", "quantize_rows_f16", "quantize_rows_f32"],
    ...["restore_rows_bf16", "restore_rows_f16"],
  ]);
  assert.match(int8, /^\.target sm_80$/m);
});

Deno.test("what only Hopper has is for Hopper alone", () => {
  const products = ["gated_product_256", "product_160", "product_256"];
  assert.deepEqual(entriesOf(hopper_int8), products.map((name) => `int8_${name}_bf16`));
  assert.deepEqual(entriesOf(hopper_gated), ["gated_product_bf16"]);
  const attention = ["attend_32", "attend_96", "join_attended_32", "join_attended_96"];
  assert.deepEqual(
    entriesOf(hopper_attention),
    attention.flatMap((name) => [`${name}_bf16`, `${name}_f16`]),
  );
  for (const assembly of [hopper_attention, hopper_gated, hopper_int8]) {
    assert.match(assembly, /^\.target sm_90a$/m);
    assert.match(assembly, /wgmma\.mma_async\.sync\.aligned/);
  }
});
