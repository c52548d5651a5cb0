/** Expected bytes are those of diffusers' VaeImageProcessor: tests/reference/pictures.py. */
import assert from "node:assert/strict";
import { ImageError, imageFromTensor, tensorFromImage } from "../../src/image/mod.ts";
import { tensor } from "../../src/tensor.ts";
import { fixture, readJson } from "../_fixtures.ts";

interface Processed {
  readonly values: readonly string[];
  readonly dims: readonly number[];
  readonly pixels: readonly (readonly number[])[];
}

/** Python writes infinities shorter than JavaScript reads them. */
const fromPython = (text: string) => Number(text.replace("inf", "Infinity"));

Deno.test("values become the bytes that diffusers makes of them, ties included", async () => {
  const { values, dims, pixels } = await readJson<Processed>(
    fixture("image/vae_image_processor.json"),
  );
  const decoded = tensor(Float32Array.from(values, fromPython), dims);
  for (const [index, expected] of pixels.entries()) {
    const image = imageFromTensor(decoded, index);
    assert.deepEqual([...image.data], expected);
    assert.deepEqual([image.height, image.width], dims.slice(2));
  }
});

Deno.test("rows, columns and channels keep their places", () => {
  // Red grows with the column, green with the row, blue is full. Bytes worked out by hand.
  const decoded = tensor(Float32Array.of(-1, 1, -1, 1, -1, -1, 1, 1, 1, 1, 1, 1), [1, 3, 2, 2]);
  assert.deepEqual(
    [...imageFromTensor(decoded).data],
    [[0, 0, 255], [255, 0, 255], [0, 255, 255], [255, 255, 255]].flat(),
  );
});

Deno.test("NaN is refused with its place", () => {
  const values = new Float32Array(2 * 3 * 2 * 2).fill(0.5);
  values[12 + 4 + 3] = NaN;
  const decoded = tensor(values, [2, 3, 2, 2]);
  imageFromTensor(decoded, 0);
  assert.throws(
    () => imageFromTensor(decoded, 1),
    (error) => error instanceof ImageError && /channel 1, row 1, column 1/.test(error.message),
  );
});

Deno.test("tensors that are no pictures, and missing pictures, are refused", () => {
  const picture = (dims: number[]) =>
    tensor(new Float32Array(dims.reduce((product, extent) => product * extent, 1)), dims);
  assert.throws(() => imageFromTensor(picture([1, 4, 2, 2])), /\[1, 4, 2, 2\]/);
  assert.throws(() => imageFromTensor(picture([3, 2, 2])), RangeError);
  assert.throws(() => imageFromTensor(picture([1, 3, 2, 2]), 1), RangeError);
  assert.throws(() => imageFromTensor(picture([1, 3, 2, 2]), -1), RangeError);
});

Deno.test("a picture becomes values and again the same picture, and what does not fill its size is refused", () => {
  const bytes = Uint8ClampedArray.from({ length: 3 * 256 }, (_, index) => Math.floor(index / 3));
  bytes.subarray(0, 3).set([255, 128, 0]);
  const image = { data: bytes, width: 64, height: 4 };
  const values = tensorFromImage(image);
  assert.deepEqual(values.dims, [1, 3, 4, 64]);
  // numpy: 2 * (np.float32(128) / 255) - 1
  assert.deepEqual([0, 256, 512].map((at) => values.data[at]), [1, 0.003921627998352051, -1]);
  assert.deepEqual(imageFromTensor(values), image);
  assert.throws(() => tensorFromImage({ ...image, width: 63 }), RangeError);
});
