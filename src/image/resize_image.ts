import { tapsOf } from "./_lanczos.ts";
import type { RgbImage } from "./types.ts";

const CHANNELS = 3;

/**
 * A picture of another size, by Lanczos' filter of three lobes, widened where the picture shrinks:
 * Pillow's `resize(…, LANCZOS)`, of which it differs by 1 at most.
 *
 * @throws {RangeError} When a side is no whole number from 1 on.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const grey = { data: new Uint8ClampedArray(3 * 4 * 4).fill(90), width: 4, height: 4 };
 * const larger = resizeImage(grey, { width: 7, height: 5 });
 * assert.equal(larger.data.length, 3 * 7 * 5);
 * assert(larger.data.every((value) => value === 90));
 * ```
 */
export function resizeImage(
  image: RgbImage,
  { width, height }: { readonly width: number; readonly height: number },
): RgbImage {
  for (const side of [width, height]) {
    if (!(Number.isSafeInteger(side) && side >= 1)) {
      throw new RangeError(`A picture of ${width}×${height} was asked for: no such size.`);
    }
  }
  if (image.width === width && image.height === height) return image;
  const columns = tapsOf(image.width, width);
  // Bytes between the two passes, as Pillow has them.
  const wide = new Uint8ClampedArray(CHANNELS * width * image.height);
  for (let row = 0; row < image.height; row++) {
    const source = row * image.width;
    for (let column = 0; column < width; column++) {
      const { first, weights } = columns[column]!;
      let [red, green, blue] = [0, 0, 0];
      for (let tap = 0; tap < weights.length; tap++) {
        const at = CHANNELS * (source + first + tap);
        const weight = weights[tap]!;
        red += weight * image.data[at]!;
        green += weight * image.data[at + 1]!;
        blue += weight * image.data[at + 2]!;
      }
      wide.set([red, green, blue], CHANNELS * (row * width + column));
    }
  }
  const rows = tapsOf(image.height, height);
  const data = new Uint8ClampedArray(CHANNELS * width * height);
  const line = CHANNELS * width;
  const sums = new Float64Array(line);
  for (let row = 0; row < height; row++) {
    const { first, weights } = rows[row]!;
    sums.fill(0);
    for (let tap = 0; tap < weights.length; tap++) {
      const source = (first + tap) * line;
      const weight = weights[tap]!;
      for (let at = 0; at < line; at++) sums[at]! += weight * wide[source + at]!;
    }
    // Clamped to 0…255, and rounded.
    data.set(sums, row * line);
  }
  return { data, width, height };
}
