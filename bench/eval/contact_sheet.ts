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

/** Makes a picture smaller; a pixel becomes the mean of the area that it covers. */
export function shrink(image: RgbImage, width: number, height: number): RgbImage {
  const columns = overlaps(image.width, width);
  const rows = overlaps(image.height, height);
  const data = new Uint8ClampedArray(CHANNELS * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < CHANNELS; channel++) {
        let sum = 0;
        for (const [row, rowShare] of rows[y]!) {
          for (const [column, columnShare] of columns[x]!) {
            const from = CHANNELS * (row * image.width + column) + channel;
            sum += rowShare * columnShare * image.data[from]!;
          }
        }
        data[CHANNELS * (y * width + x) + channel] = Math.round(sum);
      }
    }
  }
  return { data, width, height };
}

/** Makes a PNG of the picture smaller: colours become multiples of `step`, which nobody sees if it is 4. */
export function coarsen(image: RgbImage, step: number): RgbImage {
  return { ...image, data: image.data.map((value) => Math.round(value / step) * step) };
}

/** For each place of `to`, the places of `from` that it covers, with their shares of it. */
function overlaps(from: number, to: number): [place: number, share: number][][] {
  const size = from / to;
  return Array.from({ length: to }, (_, index) => {
    const start = index * size;
    const end = start + size;
    const covered: [number, number][] = [];
    for (let place = Math.floor(start); place < Math.min(from, end); place++) {
      const share = (Math.min(end, place + 1) - Math.max(start, place)) / size;
      if (share > 0) covered.push([place, share]);
    }
    return covered;
  });
}
