/**
 * Many pictures in one.
 *
 * @module
 */
import type { RgbImage } from "../../src/image/mod.ts";

const CHANNELS = 3;

/**
 * Puts pictures of one size beside each other, row by row; what is left of the last row is black.
 *
 * @example
 * ```ts
 * const cell = { data: new Uint8ClampedArray(12), width: 2, height: 2 };
 * tile([cell, cell, cell], 2); // 4 × 4
 * ```
 */
export function tile(cells: readonly RgbImage[], columns: number): RgbImage {
  const { width, height } = cells[0]!;
  const rows = Math.ceil(cells.length / columns);
  const stride = CHANNELS * width * columns;
  const data = new Uint8ClampedArray(stride * height * rows);
  cells.forEach((cell, index) => {
    const start = Math.floor(index / columns) * height * stride +
      index % columns * CHANNELS * width;
    for (let y = 0; y < height; y++) {
      const row = cell.data.subarray(y * CHANNELS * width, (y + 1) * CHANNELS * width);
      data.set(row, start + y * stride);
    }
  });
  return { data, width: width * columns, height: height * rows };
}

/** Takes a sheet of square cells apart again, row by row. */
export function untile(sheet: RgbImage, size: number): RgbImage[] {
  const columns = sheet.width / size;
  const rows = sheet.height / size;
  return Array.from({ length: rows * columns }, (_, index) => {
    const left = index % columns * size;
    const top = Math.floor(index / columns) * size;
    const data = new Uint8ClampedArray(CHANNELS * size * size);
    for (let y = 0; y < size; y++) {
      const start = CHANNELS * ((top + y) * sheet.width + left);
      data.set(sheet.data.subarray(start, start + CHANNELS * size), CHANNELS * size * y);
    }
    return { data, width: size, height: size };
  });
}

/** Makes a PNG of the picture smaller: colours become multiples of `step`, which nobody sees if it is 4. */
export function coarsen(image: RgbImage, step: number): RgbImage {
  return { ...image, data: image.data.map((value) => Math.round(value / step) * step) };
}
