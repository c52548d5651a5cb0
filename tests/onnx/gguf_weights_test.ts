// Weights in GGUF's blocks against gguf-py: tests/reference/gguf_files.py made file and values.
import assert from "node:assert/strict";
import { readTensor } from "../../bench/_tensors.ts";
import { gatedLinear, Graph, linear, Parameters, weightsInMemory } from "../../src/onnx/mod.ts";
import {
  openWeights,
  readSafetensorsHeader,
  RowReader,
  type TensorEntry,
} from "../../src/safetensors/mod.ts";
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

/** The values of a matrix that is unpacked for CUDA in 8 bits, by the formula of `MatMulNBits`. */
async function restored(name: string): Promise<Float32Array> {
  const graph = new Graph("restored", { device: "cuda" });
  const { shape } = weights.tensors.get(name)!;
  new Parameters(graph, weights).matrix(name, shape as [number, number], "float32");
  const made = await weightsInMemory(graph.compile());
  const points = made[`points/${name}`]!;
  const [scales, zeros] = ["scales", "zeros"].map((form) => {
    return new Float32Array(made[`${form}/${name}`]!.buffer);
  }) as [Float32Array, Float32Array];
  const run = points.length / scales.length;
  return Float32Array.from(points, (point, i) => {
    const index = Math.floor(i / run);
    return scales[index]! * (point - zeros[index]!);
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
    // ONNX Runtime has no kernel for it on a CPU: zeros with a fraction and 8 bits.
    const isForGpu = ["Q5_1", "Q5_K"].includes(name);
    const onCuda = isForGpu ? await restored(name) : await columnsOf(
      (graph, x) => linear(x, new Parameters(graph, weights).matrix(name, shape, "float32")),
      columns,
      "cuda",
    );
    assertNear(onCuda, data, "in a graph for CUDA");
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

Deno.test("runs of equal values, and values far from 0, are what they are on CUDA, too", async () => {
  // Q4_1: the scale and the minimum in float16, then nibbles.
  const runs: readonly (readonly [scale: number, minimum: number, nibble: number])[] = [
    [0, 0, 5],
    [0, 0.75, 9],
    [0, -3, 15],
    [0.5, -4, 8],
    [2 ** -14, 2, 3],
    [0.25, 100, 7],
  ];
  const stored = new Uint8Array(runs.length * 20);
  const view = new DataView(stored.buffer);
  for (const [index, [scale, minimum, nibble]] of runs.entries()) {
    view.setFloat16(20 * index, scale, true);
    view.setFloat16(20 * index + 2, minimum, true);
    stored.fill(nibble | nibble << 4, 20 * index + 4, 20 * index + 20);
  }
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeFile(file, stored);
    const shape = [runs.length, 32] as const;
    const entry = { name: "w", dtype: "Q4_1", shape, file, offset: 0, byteLength: stored.length };
    const tensors = new Map([["w", entry as TensorEntry]]);
    for (const device of ["cpu", "cuda"] as const) {
      const found = await columnsOf(
        (graph, x) => {
          return linear(
            x,
            new Parameters(graph, { ...weights, tensors }).matrix("w", shape, "float32"),
          );
        },
        32,
        device,
      );
      for (const [index, [scale, minimum, nibble]] of runs.entries()) {
        const value = scale * nibble + minimum;
        for (const actual of found.subarray(32 * index, 32 * index + 32)) {
          const error = Math.abs(actual - value);
          assert(
            error <= 2 ** -12 * Math.abs(value),
            `${device}, ${index}: ${actual} for ${value}`,
          );
        }
      }
    }
  } finally {
    await Deno.remove(file);
  }
});
