import assert from "node:assert/strict";
import fc from "fast-check";
import { coarsen, tile, untile } from "../../bench/eval/contact_sheet.ts";
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

Deno.test("coarse colours are the nearest multiples, and never brighter than white", () => {
  const image = { data: Uint8ClampedArray.of(0, 1, 6, 251, 254, 255), width: 2, height: 1 };
  assert.deepEqual([...coarsen(image, 4).data], [0, 0, 8, 252, 255, 255]);
});
