import { type Device, Graph, type Value } from "../../src/onnx/mod.ts";
import { Session } from "../../src/runtime/session.ts";
import { tensor } from "../../src/tensor.ts";

/**
 * What a graph makes of each column of the identity: the transposed matrix. The operators of either
 * device run on a CPU.
 */
export async function columnsOf(
  build: (graph: Graph, x: Value) => Value,
  columns: number,
  device: Device = "cpu",
): Promise<Float32Array> {
  const graph = new Graph("columns", { device });
  const x = graph.input("x", "float32", [1, "S", columns]);
  graph.output("y", build(graph, x), [1, "S", "N"]);
  await using session = await Session.create(graph.compile(), { device: "cpu" });
  const identity = Float32Array.from({ length: columns ** 2 }, (_, index) => {
    return index % columns === Math.floor(index / columns) ? 1 : 0;
  });
  const { y } = await session.run({ x: tensor(identity, [1, columns, columns]) });
  const rows = y!.dims.at(-1)!;
  return Float32Array.from({ length: rows * columns }, (_, index) => {
    return y!.data[(index % columns) * rows + Math.floor(index / columns)]!;
  });
}
