/** Expected values are worked out from the definition, 10·log10(255² / mean squared difference). */
import assert from "node:assert/strict";
import { psnr, type RgbImage } from "../../src/image/mod.ts";

function flat(value: number, width = 4, height = 2): RgbImage {
  return { data: new Uint8ClampedArray(3 * width * height).fill(value), width, height };
}

Deno.test("a difference of 1 everywhere is 48.13 dB, of 255 everywhere 0 dB", () => {
  assert.equal(psnr(flat(7), flat(8)).toFixed(4), "48.1308");
  assert.equal(psnr(flat(255), flat(0)), 0);
});

Deno.test("a difference of 1 in one byte of 24 is 61.93 dB", () => {
  const other = flat(7);
  other.data[5] = 6;
  assert.equal(psnr(flat(7), other).toFixed(4), "61.9329");
});

Deno.test("equal pictures have no noise", () => {
  assert.equal(psnr(flat(9), flat(9)), Infinity);
});

Deno.test("pictures of different sizes are refused", () => {
  assert.throws(() => psnr(flat(0, 4, 2), flat(0, 2, 4)), /4×2 and 2×4/);
});
