import assert from "node:assert/strict";
import { compileNextDiT } from "../../src/models/next_dit.ts";
import { parseNextDiTConfig } from "../../src/models/next_dit_config.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { loadTransformer } from "../../src/pipeline/parts/load_transformer.ts";
import { permittedPolicy } from "../../src/pipeline/parts/permitted_policy.ts";
import { hasCudaProvider } from "../../src/machine/binding.ts";
import { bindingFolder } from "../../src/runtime/binding_folder.ts";
import { localHost } from "../../src/machine/host.ts";
import { tensor } from "../../src/tensor.ts";
import { assertClose } from "../_fixtures.ts";
import { openCase } from "../models/_case.ts";

/** Loads a small model by a policy that wants a GPU's kernels, and checks what it predicts. */
async function load(): Promise<{ wanted: (boolean | undefined)[]; reasons: string[] }> {
  const { weights, json, file, value } = await openCase("next_dit/plain_without_qk_norm");
  const config = parseNextDiTConfig(json, file, weights);
  const wanted: (boolean | undefined)[] = [];
  const reasons: string[] = [];
  await using transformer = await loadTransformer(
    config,
    (policy) => {
      wanted.push(policy.ownOperators);
      return compileNextDiT(config, weights, { ...policy, compute: "float32" });
    },
    {
      policy: await permittedPolicy({
        ...DTYPE_POLICIES.cpu,
        compute: "bfloat16",
        ownOperators: true,
      }),
      resident: true,
      onOperatorFallback: (reason) => reasons.push(reason),
    },
  );
  const { data, dims } = value("run0.caption_0");
  const conditioning = await transformer.condition(tensor(data, [1, ...dims]));
  const [velocity] = await transformer.predict(value("run0.latents"), 0.3, [conditioning]);
  assertClose(velocity!, value("run0.velocity"), 1e-5, "velocity");
  return { wanted, reasons };
}

Deno.test({
  name: "without CUDA, ONNX Runtime's kernels take the place of ours, and it is said why",
  ignore: await hasCudaProvider(localHost(), bindingFolder(Deno.build)),
  fn: async () => {
    const { wanted, reasons } = await load();
    assert.deepEqual(wanted, [false]);
    assert.equal(reasons.length, 1);
    assert.match(reasons[0]!, /onnxruntime_providers|CUDA/i);
  },
});

Deno.test({
  name: "who may not call all native code gets ONNX Runtime's kernels, and no complaint",
  permissions: { read: true, ffi: ["node_modules"], env: true },
  fn: async () => assert.deepEqual(await load(), { wanted: [false], reasons: [] }),
});
