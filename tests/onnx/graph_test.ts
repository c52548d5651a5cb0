import assert from "node:assert/strict";
import { add, Graph } from "../../src/onnx/mod.ts";
import { Session } from "../../src/runtime/session.ts";
import { tensor } from "../../src/tensor.ts";

Deno.test("a long vector stands in a graph once, however often it is read", async () => {
  const length = 5000;
  const graph = new Graph("sums");
  let x = graph.input("x", "float32", [length]);
  for (let times = 0; times < 50; times++) {
    for (const step of [1, 2]) x = add(x, graph.vector(new Array(length).fill(step), "float32"));
  }
  graph.output("y", x, [length]);
  const compiled = graph.compile();
  // Two vectors of 20 kB, and a hundred nodes.
  assert.ok(compiled.model.length < 2 * 4 * length + 100 * 200, `${compiled.model.length} bytes`);
  await using session = await Session.create(compiled, { device: "cpu" });
  const { y } = await session.run({ x: tensor(new Float32Array(length), [length]) });
  assert.ok(y!.data.every((value) => value === 150));
});
