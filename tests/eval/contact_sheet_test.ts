import assert from "node:assert/strict";
import fc from "fast-check";
import { coarsen, shrink, tile, untile } from "../../bench/eval/contact_sheet.ts";
import type { RgbImage } from "../../src/image/mod.ts";

const cells = (size: number, count: number) =>
  fc.array(
    fc.uint8Array({ minLength: 3 * size * size, maxLength: 3 * size * size }),
    { minLength: count, maxLength: count },
  ).map((all) =>
    all.map((data): RgbImage => ({ data: Uint8ClampedArray.from(data), width: size, height: size }))
  );

Deno.test("a sheet that is taken apart gives its cells again", () => {
  fc.assert(fc.property(cells(3, 6), fc.constantFrom(1, 2, 3, 6), (pictures, columns) => {
    const sheet = tile(pictures, columns);
    assert.equal(sheet.width, 3 * columns);
    assert.deepEqual(untile(sheet, 3), pictures);
  }));
});

Deno.test("the rest of a sheet's last row is black", () => {
  const white = { data: new Uint8ClampedArray(3).fill(255), width: 1, height: 1 };
  const sheet = tile([white, white, white], 2);
  assert.deepEqual([...sheet.data.slice(9)], [0, 0, 0]);
});

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

Deno.test("coarse colours are the nearest multiples, and never brighter than white", () => {
  const image = { data: Uint8ClampedArray.of(0, 1, 6, 251, 254, 255), width: 2, height: 1 };
  assert.deepEqual([...coarsen(image, 4).data], [0, 0, 8, 252, 255, 255]);
});
