/**
 * A preview continues the latents in a straight line to time 1. The expected values are read off the
 * lines, drawn by hand.
 */
import assert from "node:assert/strict";
import type { StepInfo } from "../../src/pipeline/types.ts";
import { previews } from "../../src/studio/preview.ts";
import type { Tensor } from "../../src/tensor.ts";

const DIMS = [1, 1, 1, 2];

/** A step of the first picture that ended with these latents. */
function step(index: number, timestep: number, nextTimestep: number, values: number[]): StepInfo {
  const latents = { data: Float32Array.from(values), dims: DIMS, type: "float32" } as const;
  return { index, total: 4, timestep, nextTimestep, latents, imageIndex: 0, imageCount: 1 };
}

/** What is decoded after each of the steps. */
async function decoded(steps: readonly StepInfo[]): Promise<number[][]> {
  const seen: number[][] = [];
  const show = previews({
    decodeImages: (latents: Tensor) => {
      assert.deepEqual(latents.dims, DIMS);
      seen.push(Array.from(latents.data));
      return Promise.resolve([{ data: new Uint8ClampedArray(3), width: 1, height: 1 }]);
    },
  });
  for (const info of steps) await show(info);
  return seen;
}

Deno.test("on a straight line every preview but the first shows where it ends", async () => {
  // x(t) = 2 + 8t and x(t) = 5 − 4t, at uneven times: at t = 1 they are 10 and 1.
  const seen = await decoded([
    step(0, 0, 0.125, [3, 4.5]),
    step(1, 0.125, 0.5, [6, 3]),
    step(2, 0.5, 0.75, [8, 2]),
    step(3, 0.75, 1, [10, 1]),
  ]);
  assert.deepEqual(seen, [[3, 4.5], [10, 1], [10, 1], [10, 1]]);
});

Deno.test("on a curve it is the last direction that is continued", async () => {
  // From 1 to 2 in a quarter of the time is 4 a unit, and half of it is left: 2 + 2.
  const seen = await decoded([step(0, 0, 0.25, [1, 0]), step(1, 0.25, 0.5, [2, 0])]);
  assert.deepEqual(seen[1], [4, 0]);
});

Deno.test("a new picture does not go on from the one before", async () => {
  const seen = await decoded([
    step(0, 0, 0.5, [1, 1]),
    step(1, 0.5, 1, [2, 2]),
    step(0, 0, 0.5, [7, 7]),
  ]);
  assert.deepEqual(seen[2], [7, 7]);
});

Deno.test("a second drawing begins anew, larger or not", async () => {
  const seen = await decoded([
    step(0, 0, 0.5, [1, 1]),
    step(1, 0.5, 1, [2, 2]),
    step(2, 0.4, 0.7, [3, 5]),
    step(3, 0.7, 1, [4, 4]),
  ]);
  assert.deepEqual(seen[2], [3, 5]);
  const values = [3, 5, 3, 5, 3, 5, 3, 5];
  const small = step(2, 0.4, 0.7, values);
  const large = { ...small, latents: { ...small.latents, dims: [1, 1, 2, 4] } };
  const shown: number[][] = [];
  const show = previews({
    decodeImages: ({ data }: Tensor) => {
      shown.push(Array.from(data));
      return Promise.resolve([{ data: new Uint8ClampedArray(3), width: 1, height: 1 }]);
    },
  });
  for (const info of [step(0, 0, 0.4, [1, 1]), large]) await show(info);
  assert.deepEqual(shown[1], values);
});

Deno.test("the latents themselves are not changed", async () => {
  const second = step(1, 0.25, 0.5, [2, 0]);
  await decoded([step(0, 0, 0.25, [1, 0]), second]);
  assert.deepEqual(Array.from(second.latents.data), [2, 0]);
});
