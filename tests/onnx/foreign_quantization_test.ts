// Names as the programs write them: bitsandbytes' state_dict, torchao's flatten_tensor_state_dict,
// optimum-quanto's, AutoGPTQ's, compressed-tensors' and mlx.nn.quantize's.
import assert from "node:assert/strict";
import { CheckpointError, Graph, Parameters } from "../../src/onnx/mod.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { fileBytes, headerText } from "../safetensors/_writer.ts";

type Stated = readonly [name: string, dtype: string, shape: readonly number[], bytes: number];

/** What stands in a file for a matrix [8, 64] of such a name. */
const FORMS: Readonly<Record<string, (layer: string) => readonly Stated[]>> = {
  "bitsandbytes in 4 bits": (layer) => [
    [`${layer}.weight`, "U8", [256, 1], 256],
    [`${layer}.weight.absmax`, "F32", [8], 32],
    [`${layer}.weight.quant_map`, "F32", [16], 64],
    [`${layer}.weight.quant_state.bitsandbytes__nf4`, "U8", [80], 80],
  ],
  "bitsandbytes in 8 bits": (layer) => [
    [`${layer}.weight`, "I8", [8, 64], 512],
    [`${layer}.SCB`, "F32", [8], 32],
  ],
  torchao: (layer) => [
    [`${layer}._weight_qdata`, "I8", [8, 64], 512],
    [`${layer}._weight_scale`, "F32", [8, 1], 32],
  ],
  "optimum-quanto": (layer) => [
    [`${layer}.weight._data`, "I8", [8, 64], 512],
    [`${layer}.weight._scale`, "F32", [8, 1], 32],
  ],
  "GPTQ, AWQ": (layer) => [
    [`${layer}.qweight`, "I32", [8, 8], 256],
    [`${layer}.qzeros`, "I32", [1, 1], 4],
    [`${layer}.scales`, "F16", [1, 8], 16],
  ],
  "compressed-tensors": (layer) => [
    [`${layer}.weight_packed`, "I32", [8, 8], 256],
    [`${layer}.weight_scale`, "BF16", [8, 2], 32],
  ],
  MLX: (layer) => [
    [`${layer}.weight`, "U32", [8, 8], 256],
    [`${layer}.scales`, "BF16", [8, 1], 16],
    [`${layer}.biases`, "BF16", [8, 1], 16],
  ],
};

async function write(path: string, tensors: readonly Stated[]): Promise<void> {
  let end = 0;
  const members = tensors.map(([name, dtype, shape, bytes]) => {
    const data_offsets = [end, end += bytes];
    return [name, { dtype, shape, data_offsets }] as const;
  });
  await Deno.writeFile(path, fileBytes(headerText(members), new Uint8Array(end)));
}

for (const [form, tensorsOf] of Object.entries(FORMS)) {
  Deno.test(`matrices in the form of ${form} are refused by its name, and once for all`, async () => {
    await inTempFolder(async (folder) => {
      const path = `${folder}/model.safetensors`;
      const norm: Stated = ["norm.weight", "F32", [4], 16];
      await write(path, ["a", "b", "c"].flatMap(tensorsOf).concat([norm]));
      const weights = await openWeights(path);
      const parameters = new Parameters(new Graph("of a foreign form"), weights);
      parameters.get("norm.weight", [4], "float32");
      parameters.check();
      for (const layer of ["a", "b", "c"]) {
        parameters.matrix(`${layer}.weight`, [8, 64], "float32");
      }
      const [program] = form.split(" in ");
      assert.throws(() => parameters.check(), (error) => {
        assert(error instanceof CheckpointError);
        assert.equal(error.problems.length, 3);
        for (const language of ["en", "zh"] as const) {
          const said = error.explain(language);
          assert.equal(said.split(`(${program})`).length + said.split(`（${program}）`).length, 3);
          assert.match(said, /deno task quantize/);
          assert.doesNotMatch(said, /config\.json/);
        }
        return true;
      });
    });
  });
}

Deno.test("a matrix that can be read is not spoilt by names beside it", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await write(path, [
      ["a.weight", "F32", [2, 2], 16],
      ["a.biases", "F32", [2], 8],
      ["a.qweight", "I32", [1, 2], 8],
      ["a.SCB", "F32", [2], 8],
    ]);
    const { tensors, unusable } = await openWeights(path);
    assert(tensors.has("a.weight"));
    assert(!unusable.has("a.weight"));
  });
});
