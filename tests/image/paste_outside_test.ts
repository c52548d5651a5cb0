import assert from "node:assert/strict";
import * as fc from "fast-check";
import { pasteOutside, type RgbImage } from "../../src/image/mod.ts";

const flat = (value: number, width: number, height: number): RgbImage => ({
  data: new Uint8ClampedArray(3 * width * height).fill(value),
  width,
  height,
});

Deno.test("inside of a mask is the drawn picture, far from it the original, and between them it fades", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 14 }),
      fc.integer({ min: 1, max: 14 }),
      fc.integer({ min: 0, max: 6 }),
      fc.array(fc.nat(13), { minLength: 1, maxLength: 6 }),
      (width, height, blur, places) => {
        const mask = new Float32Array(width * height);
        for (const place of places) mask[(place * 31) % mask.length] = 1;
        const { data } = pasteOutside(flat(200, width, height), flat(0, width, height), mask, {
          blur,
        });
        for (let pixel = 0; pixel < mask.length; pixel++) {
          const [row, column] = [Math.floor(pixel / width), pixel % width];
          // The distance to the mask, by looking at all of it.
          const distance = Math.min(
            ...[...mask].flatMap((value, at) =>
              value === 0 ? [] : [Math.hypot(Math.floor(at / width) - row, at % width - column)]
            ),
          );
          const share = distance > blur ? 0 : Math.cos(Math.PI * distance / (blur + 1) / 2) ** 2;
          const found = data[3 * pixel]!;
          assert(Math.abs(found - 200 * share) <= 0.5 + 1e-9, `${found} at ${distance}`);
          if (distance === 0) assert.equal(found, 200);
          if (distance > blur) assert.equal(found, 0);
        }
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("an original or a mask of another size is refused", () => {
  const [a, b] = [flat(1, 4, 4), flat(1, 4, 5)];
  assert.throws(() => pasteOutside(a, b, new Float32Array(16), { blur: 0 }), RangeError);
  assert.throws(() => pasteOutside(a, a, new Float32Array(15), { blur: 0 }), RangeError);
});
