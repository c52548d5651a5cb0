/** Expected pixels come from imageFromTensor, which tests/image holds against diffusers' values. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { imageFromTensor } from "../../src/image/mod.ts";
import { NON_FINITE, outputPicture } from "../../src/models/autoencoder_graphs.ts";
import { Graph, INTERFACE_TYPE } from "../../src/onnx/mod.ts";
import { Session } from "../../src/runtime/session.ts";
import { type Tensor, tensor } from "../../src/tensor.ts";

/** A decoder that passes on what it is given. */
function passOn(): ReturnType<Graph["compile"]> {
  const graph = new Graph("pass_on");
  outputPicture(graph, graph.input("picture", INTERFACE_TYPE, ["B", 3, "H", "W"]), 3);
  return graph.compile();
}

async function outputsOf(session: Session, picture: Tensor) {
  const { pixels, [NON_FINITE]: nonFinite } = await session.run({ picture }, [
    "pixels",
    NON_FINITE,
  ]);
  return { pixels: [...pixels!.data], dims: pixels!.dims, nonFinite: nonFinite!.data[0] };
}

/** Values that end exactly between two bytes, or as near to that as float32 goes. */
function halves(): Float32Array {
  return Float32Array.from({ length: 3 * 256 }, (_, index) => {
    const byte = Math.floor(index / 3);
    const between = Math.fround(2 * (byte + 0.5) / 255 - 1);
    return between + ((index % 3) - 1) * 2 ** -24;
  });
}

Deno.test("pixels made in a graph are those of imageFromTensor, to the last bit", async () => {
  await using session = await Session.create(passOn(), { device: "cpu" });
  const special = [-1, 1, 0, -0, -1.5, 1.5, -1e30, 1e30, 2 ** -149, 1 - 2 ** -24, 0.2, -0.2];
  for (const data of [halves(), Float32Array.from(special)]) {
    const picture = tensor(data, [1, 3, 2, data.length / 6]);
    const { pixels, dims, nonFinite } = await outputsOf(session, picture);
    assert.deepEqual(pixels, [...imageFromTensor(picture).data]);
    assert.deepEqual(dims, [1, 2, data.length / 6, 3]);
    assert.equal(nonFinite, 0);
  }
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.float({ min: -2, max: 2, noNaN: true }), { minLength: 24, maxLength: 24 }),
      async (values) => {
        const batch = tensor(Float32Array.from(values), [2, 3, 2, 2]);
        const { pixels } = await outputsOf(session, batch);
        const images = [0, 1].map((index) => [...imageFromTensor(batch, index).data]);
        assert.deepEqual(pixels, images.flat());
      },
    ),
    { numRuns: 200 },
  );
});

for (const value of [NaN, Infinity, -Infinity]) {
  Deno.test(`a single ${value} among the values is told, which bytes cannot`, async () => {
    await using session = await Session.create(passOn(), { device: "cpu" });
    const data = new Float32Array(3 * 64 * 64).fill(0.5);
    const picture = tensor(data, [1, 3, 64, 64]);
    assert.equal((await outputsOf(session, picture)).nonFinite, 0);
    for (const place of [0, 5000, data.length - 1]) {
      data[place] = value;
      assert.notEqual((await outputsOf(session, picture)).nonFinite, 0);
      data[place] = 0.5;
    }
  });
}
