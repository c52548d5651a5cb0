// Weights of 8 bits, with and without scales and rotations, against PyTorch's arithmetic:
// tests/reference/byte_weights.py made files and values.
import assert from "node:assert/strict";
import { readTensor } from "../../bench/_tensors.ts";
import { CheckpointError, Graph, linear, Parameters } from "../../src/onnx/mod.ts";
import { readSafetensorsHeader } from "../../src/safetensors/mod.ts";
import { fixture } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { columnsOf } from "./_columns.ts";
import { fileBytes, headerText } from "../safetensors/_writer.ts";

const LAYER = "model.diffusion_model.layer";
const FOLDER = fixture("weights");

interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
}

const F8: Stored = { dtype: "F8_E4M3", shape: [4, 8] };
const I8: Stored = { dtype: "I8", shape: [4, 8] };
const ONE: Stored = { dtype: "F32", shape: [] };

/** Not as far apart as float32 holds. NaN is NaN. */
function assertEqual(actual: Float32Array, expected: Float32Array, what: string): void {
  assert.equal(actual.length, expected.length);
  const largest = expected.reduce(
    (most, x) => Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most,
    0,
  );
  expected.forEach((value, index) => {
    const found = actual[index]!;
    const isNear = Object.is(found, value) || found === value ||
      Math.abs(found - value) <= 1e-6 * largest;
    assert(isNear, `${what}: ${found} at ${index} instead of ${value}`);
  });
}

const expectedOf = await readSafetensorsHeader(`${FOLDER}/expected.safetensors`);

for (const [name, expected] of expectedOf.tensors) {
  Deno.test(`the weights of ${name} are PyTorch's, read by row and in graphs`, async () => {
    const { data, dims } = await readTensor(expected);
    const [rows, columns] = dims as [number, number];
    const weights = await readSafetensorsHeader(`${FOLDER}/${name}.safetensors`);
    const entry = weights.tensors.get(`${LAYER}.weight`);
    assert(entry !== undefined, [...weights.unusable.values()].join());
    assertEqual((await readTensor(entry)).data, data, "by row");
    // Infinities times zeros would spoil the sums.
    if (name.endsWith("_bytes") && !name.endsWith("as_bytes")) return;

    const parametersOf = (graph: Graph) => new Parameters(graph, weights).scope(LAYER);
    const shape = [rows, columns] as const;
    const product = await columnsOf(
      (graph, x) => linear(x, parametersOf(graph).matrix("weight", shape, "float32")),
      columns,
    );
    assertEqual(product, data, "as a matrix");
    const onCuda = await columnsOf(
      (graph, x) => linear(x, parametersOf(graph).matrix("weight", shape, "float32")),
      columns,
      "cuda",
    );
    assertEqual(onCuda, data, "by CUDA's operators");
    const value = await columnsOf(
      (graph, x) => linear(x, parametersOf(graph).get("weight", shape, "float32")),
      columns,
    );
    assertEqual(value, data, "as a value");
    const part = await columnsOf(
      (graph, x) => linear(x, parametersOf(graph).matrix("weight", shape, "float32", [4, 12])),
      columns,
    );
    assertEqual(part, data.subarray(4 * columns, 12 * columns), "in part");
  });
}

const REFUSED: readonly [string, Readonly<Record<string, Stored>>, string | undefined, RegExp][] = [
  [
    "a format that is not known",
    { weight: F8 },
    '{"format":"mxfp8"}',
    /its format is "mxfp8".*int8_tensorwise can/,
  ],
  ["no format", { weight: F8 }, '{"convrot":true}', /its format is "undefined"/],
  ["no JSON", { weight: F8 }, "{", /its format is "undefined"/],
  [
    "another dtype than the format's",
    { weight: F8 },
    '{"format":"int8_tensorwise"}',
    /which is I8, but it is F8_E4M3/,
  ],
  [
    "integers without a scale",
    { weight: I8 },
    '{"format":"int8_tensorwise"}',
    /"layer\.weight" is I8/,
  ],
  [
    "a scale a block",
    { weight: F8, weight_scale: { dtype: "F32", shape: [4, 2] } },
    undefined,
    /"layer\.weight_scale" is F32 of the shape \[4, 2\]/,
  ],
  [
    "a scale a group of columns",
    { weight: F8, weight_scale: { dtype: "F32", shape: [8] } },
    undefined,
    /expected one number, or 4 for as many rows/,
  ],
  [
    "scales of 8 bits",
    { weight: F8, weight_scale: { dtype: "F8_E8M0", shape: [4] } },
    undefined,
    /is F8_E8M0/,
  ],
  [
    "inverse scales",
    { weight: F8, weight_scale_inv: { dtype: "F32", shape: [1] } },
    undefined,
    /weight_scale_inv/,
  ],
  [
    "a rotation that does not divide the rows",
    { weight: I8, weight_scale: ONE },
    '{"format":"int8_tensorwise","convrot":true}',
    /rotated in groups of "256"/,
  ],
  [
    "a rotation of no power of four",
    { weight: I8, weight_scale: ONE },
    '{"format":"int8_tensorwise","convrot":true,"convrot_groupsize":8}',
    /groups of "8"/,
  ],
];

for (const [what, tensors, format, problem] of REFUSED) {
  Deno.test(`a weight of 8 bits with ${what} is refused where it is asked for`, async () => {
    const marker = new TextEncoder().encode(format ?? "");
    let end = 0;
    const members = Object.entries({
      ...tensors,
      ...(format === undefined ? {} : { comfy_quant: { dtype: "U8", shape: [marker.length] } }),
    }).map(([name, { dtype, shape }]) => {
      const begin = end;
      end += shape.reduce((product, extent) => product * extent, dtype === "F32" ? 4 : 1);
      return [`layer.${name}`, { dtype, shape, data_offsets: [begin, end] }] as const;
    });
    const data = new Uint8Array(end);
    data.set(marker, end - marker.length);
    await inTempFolder(async (folder) => {
      const path = `${folder}/model.safetensors`;
      await Deno.writeFile(path, fileBytes(headerText(members), data));
      const weights = await readSafetensorsHeader(path);
      const parameters = new Parameters(new Graph("refused"), weights).scope("layer");
      parameters.matrix("weight", [4, 8], "float32");
      assert.throws(() => parameters.check(), (error: unknown) => {
        assert(error instanceof CheckpointError);
        assert.match(error.message, problem);
        assert.match(error.explain("zh"), /张量/);
        return true;
      });
    });
  });
}
