// Weights in GGUF's blocks against gguf-py: tests/reference/gguf_files.py made file and values.
import assert from "node:assert/strict";
import { readTensor } from "../../bench/_tensors.ts";
import { gatedLinear, linear, Parameters, weightsInMemory } from "../../src/onnx/mod.ts";
import { openWeights, readSafetensorsHeader, RowReader } from "../../src/safetensors/mod.ts";
import { bindingFolder } from "../../src/runtime/binding_folder.ts";
import { operatorSessions } from "../../src/runtime/native/custom_session.ts";
import { fixture } from "../_fixtures.ts";
import { CPU_OPERATORS } from "../_own_operators.ts";
import { columnsOf } from "./_columns.ts";

const FOLDER = fixture("gguf");
const weights = await openWeights(`${FOLDER}/types.gguf`);
const expectedOf = await readSafetensorsHeader(`${FOLDER}/expected.safetensors`);

for (const [name, expected] of expectedOf.tensors) {
  Deno.test(`the values of ${name} are gguf-py's, bit for bit`, async () => {
    const { data, dims } = await readTensor(expected);
    const entry = weights.tensors.get(name);
    assert(entry !== undefined, `${weights.unusable.get(name)}`);
    assert.deepEqual(entry.shape, dims);
    await using reader = await RowReader.open(entry);
    const rows = Array.from({ length: reader.rowCount }, (_, row) => row);
    assert.deepEqual(await reader.read(rows), data);
  });
}

/** Products are sums of 256 in another order. */
const BOUND = 1e-6;

for (const [name, expected] of expectedOf.tensors) {
  if (expected.shape.length > 2) continue;
  Deno.test(`graphs multiply by ${name} as by gguf-py's values`, async () => {
    const { data, dims } = await readTensor(expected);
    const shape = dims as [number, number];
    const [, columns] = shape;
    const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const assertNear = (actual: Float32Array, wanted: Float32Array, what: string) => {
      assert.equal(actual.length, wanted.length);
      const error = wanted.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - actual[i]!)),
        0,
      );
      assert(error <= BOUND * largest, `${what}: ${error / largest}`);
    };
    const matrix = await columnsOf((graph, x) => {
      return linear(x, new Parameters(graph, weights).matrix(name, shape, "float32"));
    }, columns);
    assertNear(matrix, data, "as a matrix");
    const value = await columnsOf((graph, x) => {
      return linear(x, new Parameters(graph, weights).get(name, shape, "float32"));
    }, columns);
    assertNear(value, data, "as values");
    const part = await columnsOf((graph, x) => {
      return linear(x, new Parameters(graph, weights).matrix(name, shape, "float32", [4, 9]));
    }, columns);
    assertNear(part, data.subarray(4 * columns, 9 * columns), "in part");
    const own = await columnsOf(
      (graph, x) => linear(x, new Parameters(graph, weights).matrix(name, shape, "float32")),
      columns,
      "cpu",
      operatorSessions(bindingFolder(Deno.build), CPU_OPERATORS),
    );
    assertNear(own, data, "in a session of our own operators");
  });
}

Deno.test("rows that begin or end within a block are multiplied by as gguf-py's values", async () => {
  const columns = 48;
  for (const dtype of ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]) {
    const [name, entry] = [...weights.tensors].find(([name, { dtype: found, shape }]) =>
      found === dtype && shape.length === 2 && expectedOf.tensors.has(name)
    )!;
    const { data } = await readTensor(expectedOf.tensors.get(name)!);
    // As ComfyUI-GGUF stores matrices whose rows are no whole blocks.
    const rows = data.length / columns;
    assert(Number.isInteger(rows) && rows > 5, `${name} has ${data.length} values`);
    const reshaped = {
      ...weights,
      tensors: new Map([[name, { ...entry, shape: [rows, columns] }]]),
    };
    const part = await columnsOf((graph, x) => {
      const matrix = new Parameters(graph, reshaped).matrix(name, [rows, columns], "float32", [
        1,
        4,
      ]);
      return linear(x, matrix);
    }, columns);
    const wanted = data.subarray(columns, 4 * columns);
    const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const [index, value] of wanted.entries()) {
      assert(Math.abs(value - part[index]!) <= BOUND * largest, `${dtype} ${index}`);
    }
  }
});

Deno.test("our own operators take matrices that are unpacked when a graph is loaded", async () => {
  const host = operatorSessions(bindingFolder(Deno.build), CPU_OPERATORS);
  for (const dtype of ["Q4_K", "Q8_0", "F32"]) {
    const [name, { shape }] = [...weights.tensors].find(([name, { dtype: found, shape }]) =>
      found === dtype && shape.length === 2 && expectedOf.tensors.has(name)
    )!;
    const [rows, columns] = shape as [number, number];
    const gated = (...[of]: [typeof host] | []) =>
      columnsOf(
        (graph, x) => {
          const value = new Parameters(graph, weights).get(name, [rows, columns], "float32");
          return gatedLinear(x, value, value, rows);
        },
        columns,
        "cpu",
        of,
      );
    const [found, expected] = [await gated(host), await gated()];
    assert(expected.some((value) => value !== 0));
    expected.forEach((value, i) => {
      assert(Math.abs(value - found[i]!) <= BOUND * Math.max(1, Math.abs(value)), `${dtype} ${i}`);
    });
  }
});

Deno.test("a part of a tensor that ends within a block or a byte is refused, not read for ever", async () => {
  const [, entry] = [...weights.tensors].find(([, { dtype }]) => dtype === "Q8_0")!;
  const wrong = [
    { byteLength: entry.byteLength - 0.5 },
    { byteLength: entry.byteLength - 1 },
    { byteLength: NaN },
    { byteLength: Infinity },
    { offset: entry.offset + 0.25 },
  ];
  for (const change of wrong) {
    const memory = [{
      entry: { ...entry, ...change },
      initializers: [{ name: "x", form: "values", type: "float32" }],
    }] as const;
    const graph = { name: "wrong", model: new Uint8Array(), inputs: [], outputs: [], memory };
    await assert.rejects(weightsInMemory(graph), RangeError, JSON.stringify(change));
  }
});
