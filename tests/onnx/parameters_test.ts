import assert from "node:assert/strict";
import { add, cast, CheckpointError, Graph, linear, Parameters } from "../../src/onnx/mod.ts";
import { Session, SessionError } from "../../src/runtime/session.ts";
import { openWeights, type TensorEntry, type Weights } from "../../src/safetensors/mod.ts";
import { tensor } from "../../src/tensor.ts";
import { inTempFolder } from "../_folders.ts";
import { fileBytes, headerText } from "../safetensors/_writer.ts";

/** A file with `matrix` [2, 3] and `kernel` [2, 3, 1, 1] of 1…6, in the given dtype. */
async function writeMatrix(path: string, dtype: "F32" | "F16" | "BF16"): Promise<Weights> {
  const width = dtype === "F32" ? 4 : 2;
  const data = new DataView(new ArrayBuffer(12 * width));
  // 1…6 as the upper half of their float32, and as float16: both hold them exactly.
  const bfloat16 = [0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0];
  const float16 = [0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600];
  for (let i = 0; i < 12; i++) {
    if (dtype === "F32") data.setFloat32(i * width, i % 6 + 1, true);
    else data.setUint16(i * width, (dtype === "F16" ? float16 : bfloat16)[i % 6]!, true);
  }
  const half = 6 * width;
  const header = headerText([
    ["matrix", { dtype, shape: [2, 3], data_offsets: [0, half] }],
    ["kernel", { dtype, shape: [2, 3, 1, 1], data_offsets: [half, 2 * half] }],
  ]);
  await Deno.writeFile(path, fileBytes(header, new Uint8Array(data.buffer)));
  return await openWeights(path);
}

/** A graph that multiplies x [1, 3] with a [2, 3] weight. */
function product(weights: Weights, name: string): Graph {
  const graph = new Graph("product");
  const parameters = new Parameters(graph, weights);
  const x = graph.input("x", "float32", [1, 3]);
  graph.output("y", linear(x, parameters.get(name, [2, 3], "float32")), [1, 2]);
  parameters.check();
  return graph;
}

async function run(graph: Graph): Promise<number[]> {
  await using session = await Session.create(graph.compile(), { device: "cpu" });
  const { y } = await session.run({ x: tensor(Float32Array.of(1, 10, 100), [1, 3]) });
  return [...y!.data];
}

Deno.test("weights of every dtype are read in place, and 1×1 kernels serve as matrices", async () => {
  await inTempFolder(async (folder) => {
    for (const dtype of ["F32", "F16", "BF16"] as const) {
      const weights = await writeMatrix(`${folder}/${dtype}.safetensors`, dtype);
      assert.deepEqual(await run(product(weights, "matrix")), [321, 654]);
      assert.deepEqual(await run(product(weights, "kernel")), [321, 654]);
    }
  });
});

Deno.test("one graph can take weights from files in different folders", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/a/b`, { recursive: true });
    const first = await writeMatrix(`${folder}/a/b/one.safetensors`, "F32");
    const second = await writeMatrix(`${folder}/two.safetensors`, "F32");
    const tensors = new Map<string, TensorEntry>([
      ["first", { ...first.tensors.get("matrix")!, name: "first" }],
      ["second", { ...second.tensors.get("matrix")!, name: "second" }],
    ]);
    const graph = new Graph("sum");
    const parameters = new Parameters(graph, { ...first, tensors });
    const x = graph.input("x", "float32", [1, 3]);
    const weight = (name: string) => parameters.get(name, [2, 3], "float32");
    graph.output("y", add(linear(x, weight("first")), linear(x, weight("second"))), [1, 2]);
    assert.deepEqual(await run(graph), [642, 1308]);
  });
});

Deno.test("missing and misshapen tensors are collected, with their place and both shapes", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/weights.safetensors`;
    const weights = await writeMatrix(path, "F32");
    const parameters = new Parameters(new Graph("test"), weights);
    const layer = parameters.scope("decoder").scope("layers.0");
    layer.get("weight", [4, 4], "float32");
    parameters.get("matrix", [3, 2], "float32");
    parameters.get("kernel", [2, 3], "float32");
    assert.throws(() => parameters.check(), (error) => {
      assert(error instanceof CheckpointError);
      assert.deepEqual(error.problems, [
        { file: path, tensor: "decoder.layers.0.weight", expected: [4, 4] },
        { file: path, tensor: "matrix", expected: [3, 2], found: [2, 3] },
      ]);
      assert.match(error.message, / matrix in .*: expected \[3, 2\], found \[2, 3\]/);
      assert.match(error.message, /decoder\.layers\.0\.weight in .*: expected \[4, 4\], missing/);
      return true;
    });
  });
});

Deno.test("what ONNX Runtime refuses is an error that names the graph", async () => {
  const graph = new Graph("impossible");
  const x = graph.input("x", "float32", [1]);
  graph.output("y", graph.node("NoSuchOperator", [x], "float32"), [1]);
  await assert.rejects(Session.create(graph.compile(), { device: "cpu" }), (error) => {
    assert(error instanceof SessionError);
    assert.equal(error.graph, "impossible");
    assert.match(error.message, /NoSuchOperator/);
    return true;
  });
});

Deno.test("a session says which input is missing, and refuses to run once disposed", async () => {
  const graph = new Graph("identity");
  graph.output("y", cast(graph.input("x", "float32", [1]), "float32"), [1]);
  const session = await Session.create(graph.compile(), { device: "cpu" });
  await assert.rejects(session.run({}), /identity: no x given/);
  await session[Symbol.asyncDispose]();
  await session[Symbol.asyncDispose]();
  const x = tensor(Float32Array.of(1), [1]);
  await assert.rejects(session.run({ x }), /disposed/);
});
