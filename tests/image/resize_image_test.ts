/** Expected bytes are Pillow's: tests/reference/resizing.py. */
import assert from "node:assert/strict";
import { resizeImage } from "../../src/image/mod.ts";
import { fixture, readJson } from "../_fixtures.ts";

interface Resized {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly data: readonly number[];
  readonly resized: readonly number[];
}

Deno.test("pictures grow and shrink as Pillow's", async () => {
  const cases = await readJson<Resized[]>(fixture("image/lanczos.json"));
  for (const { from: [width, height], to: [wide, high], data, resized } of cases) {
    const image = { data: Uint8ClampedArray.from(data), width, height };
    const found = resizeImage(image, { width: wide, height: high });
    assert.deepEqual([found.width, found.height], [wide, high]);
    // Pillow counts in fixed point.
    found.data.forEach((value, index) => assert(Math.abs(value - resized[index]!) <= 1));
  }
});

Deno.test("a size that is none is refused, and the picture's own gives the picture", () => {
  const image = { data: new Uint8ClampedArray(12), width: 2, height: 2 };
  assert.equal(resizeImage(image, { width: 2, height: 2 }), image);
  for (const width of [0, 1.5, NaN, -3]) {
    assert.throws(() => resizeImage(image, { width, height: 2 }), RangeError);
  }
});
