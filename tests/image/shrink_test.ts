import assert from "node:assert/strict";
import fc from "fast-check";
import { shrink } from "../../src/image/mod.ts";

Deno.test("a smaller picture's pixels are the means of what they cover", () => {
  const grey = (...values: number[]) => Uint8ClampedArray.from(values.flatMap((v) => [v, v, v]));
  const halved = shrink({ data: grey(0, 100, 20, 80), width: 2, height: 2 }, 1, 1);
  assert.deepEqual(halved.data, grey(50));
  // Each of two covers one and a half of three.
  const uneven = shrink({ data: grey(30, 60, 90), width: 3, height: 1 }, 2, 1);
  assert.deepEqual(uneven.data, grey(40, 80));
});

Deno.test("shrinking keeps a plain colour", () => {
  fc.assert(fc.property(
    fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)),
    fc.integer({ min: 1, max: 7 }),
    fc.integer({ min: 1, max: 5 }),
    (color, width, height) => {
      const data = Uint8ClampedArray.from({ length: 3 * 7 * 5 }, (_, i) => color[i % 3]!);
      const small = shrink({ data, width: 7, height: 5 }, width, height);
      assert(small.data.every((value, index) => value === color[index % 3]));
    },
  ));
});
