import assert from "node:assert/strict";
import proto from "onnx-proto";
import { ADAPTER_WEIGHTS, add, cast, Graph, linear, mul } from "../../src/onnx/mod.ts";

// ONNX Runtime runs what a node waits for in the order of the list, the last first. Were a weight's
// cast to the right of the layer before it, all casts would be there before the first layer is.
Deno.test("what is made of weights alone stands before all that is made of a run's inputs", () => {
  const graph = new Graph("order");
  const strength = graph.input(ADAPTER_WEIGHTS, "float32", [1]);
  let x = graph.input("x", "float32", [1, "S", 8]);
  const layers = 3;
  for (let layer = 0; layer < layers; layer++) {
    const stored = graph.zeros([8, 8 + layer], "float16");
    const matrix = mul(cast(stored, "float32"), strength);
    x = linear(add(x, x), matrix);
  }
  graph.output("y", x, [1, "S", 8]);
  const { node } = proto.onnx.ModelProto.decode(graph.compile().model).graph!;
  const operators = node!.map(({ opType }) => opType!);
  assert.deepEqual(operators.slice(0, 2 * layers), ["Cast", "Mul", "Cast", "Mul", "Cast", "Mul"]);
  assert.deepEqual(
    operators.filter((name) => name === "Cast" || name === "Mul").length,
    2 * layers,
  );
  // Each still comes after what it reads.
  const known = new Set([ADAPTER_WEIGHTS, "x"]);
  for (const { input, output } of node!) {
    for (const name of input!) assert(known.has(name) || name.startsWith("constant/"), name);
    output!.forEach((name) => known.add(name));
  }
});
