import type { RgbImage } from "./types.ts";

const CHANNELS = 3;

/**
 * Makes a picture smaller; a pixel becomes the mean of the area that it covers.
 *
 * @param width At most the picture's own, in pixels; likewise `height`.
 */
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
