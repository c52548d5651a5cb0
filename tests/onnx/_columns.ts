import { type Device, Graph, type Value } from "../../src/onnx/mod.ts";
import { Session, type SessionHost } from "../../src/runtime/session.ts";
import { tensor } from "../../src/tensor.ts";

/**
 * What a graph makes of each column of the identity: the transposed matrix. The operators of either
 * device run on a CPU.
 *
 * @param host One of the project's own operators, which the graph may then have.
 */
export async function columnsOf(
  build: (graph: Graph, x: Value) => Value,
  columns: number,
  device: Device = "cpu",
  host: SessionHost = Session,
): Promise<Float32Array> {
  const graph = new Graph("columns", { device, ownOperators: host !== Session });
  const x = graph.input("x", "float32", [1, "S", columns]);
  graph.output("y", build(graph, x), [1, "S", "N"]);
  await using session = await host.create(graph.compile(), { device: "cpu" });
  const identity = Float32Array.from({ length: columns ** 2 }, (_, index) => {
    return index % columns === Math.floor(index / columns) ? 1 : 0;
  });
  const { y } = await session.run({ x: tensor(identity, [1, columns, columns]) });
  const rows = y!.dims.at(-1)!;
  return Float32Array.from({ length: rows * columns }, (_, index) => {
    return y!.data[(index % columns) * rows + Math.floor(index / columns)]!;
  });
}
