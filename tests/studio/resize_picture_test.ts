import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { decodePng, encodePng } from "../../src/image/mod.ts";
import { rgbaPng } from "../_rgba_png.ts";
import { resizePicture } from "../../src/studio/resize_picture.ts";

/** A red, a green, a blue and a white pixel. */
const FOUR = encodePng({
  data: Uint8ClampedArray.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255),
  width: 2,
  height: 2,
});

Deno.test("the nearest pixels make squares of each pixel", async () => {
  const file = await resizePicture(FOUR, { kind: "nearest", scale: 2, mostPixels: 16 });
  const { data, width, height } = decodePng(file).image;
  assert.deepEqual([width, height], [4, 4]);
  const pixel = (x: number, y: number) => [...data.subarray(3 * (4 * y + x), 3 * (4 * y + x) + 3)];
  assert.deepEqual([pixel(0, 0), pixel(1, 1), pixel(2, 1), pixel(1, 2), pixel(3, 3)], [
    [255, 0, 0],
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [255, 255, 255],
  ]);
});

Deno.test("what is transparent becomes white, whatever colour the file has there", async () => {
  const half = rgbaPng(2, (x) => x === 0 ? [10, 20, 30, 255] : [0, 0, 0, 0]);
  const file = await resizePicture(half, { kind: "nearest", scale: 1, mostPixels: 4 });
  assert.deepEqual([...decodePng(file).image.data.subarray(0, 6)], [10, 20, 30, 255, 255, 255]);
});

Deno.test("a picture that would be too large is refused with its size", async () => {
  const asked = resizePicture(FOUR, { kind: "lanczos", scale: 3, mostPixels: 35 });
  await assert.rejects(asked, (error) => {
    assert(error instanceof RequestError);
    assert.match(error.message, /6 × 6/);
    return true;
  });
});
