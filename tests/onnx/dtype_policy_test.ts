import assert from "node:assert/strict";
import { dtypePolicy, DTYPES, withoutOwnOperators } from "../../src/onnx/mod.ts";

Deno.test("products in 8 bits are CUDA's alone, beside bfloat16, and no default", () => {
  const { products, compute, ownOperators } = dtypePolicy("cuda", "int8")!;
  assert.deepEqual({ products, compute, ownOperators }, {
    products: "int8",
    compute: "bfloat16",
    ownOperators: true,
  });
  assert.equal(dtypePolicy("cpu", "int8"), undefined);
  assert.equal(dtypePolicy("webgpu", "int8"), undefined);
  for (const dtype of ["auto", ...DTYPES].filter((dtype) => dtype !== "int8")) {
    assert.equal(dtypePolicy("cuda", dtype as "auto")!.products, undefined, dtype);
  }
});

Deno.test("without the project's own operators no product is in 8 bits", () => {
  const policy = withoutOwnOperators(dtypePolicy("cuda", "int8")!);
  assert.deepEqual([policy.products, policy.ownOperators], [undefined, false]);
});
