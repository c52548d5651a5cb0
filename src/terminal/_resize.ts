import type { RgbImage } from "../image/mod.ts";

const CHANNELS = 3;

/** Which source pixels an output pixel covers along one side, and how much of each. */
interface Window {
  readonly start: number;
  readonly weights: readonly number[];
}

function windows(from: number, to: number): Window[] {
  return Array.from({ length: to }, (_, index) => {
    const begin = index * from / to;
    const end = (index + 1) * from / to;
    const start = Math.floor(begin);
    const count = Math.max(1, Math.ceil(end) - start);
    const weights = Array.from({ length: count }, (_, offset) => {
      const pixel = start + offset;
      return (Math.min(end, pixel + 1) - Math.max(begin, pixel)) / (end - begin);
    });
    return { start, weights };
  });
}

/**
 * A picture of another size: each pixel is the mean of the area that it covers, taken of the bytes
 * as they are, as viewers of pictures do.
 */
export function resize(image: RgbImage, width: number, height: number): RgbImage {
  if (image.width === width && image.height === height) return image;
  const across = windows(image.width, width);
  const down = windows(image.height, height);
  const narrow = new Float32Array(CHANNELS * width * image.height);
  for (let y = 0; y < image.height; y++) {
    for (const [x, { start, weights }] of across.entries()) {
      for (let channel = 0; channel < CHANNELS; channel++) {
        const first = CHANNELS * (y * image.width + start) + channel;
        let sum = 0;
        for (let k = 0; k < weights.length; k++) {
          sum += weights[k]! * image.data[first + CHANNELS * k]!;
        }
        narrow[CHANNELS * (y * width + x) + channel] = sum;
      }
    }
  }
  const stride = CHANNELS * width;
  const data = new Uint8ClampedArray(stride * height);
  for (const [y, { start, weights }] of down.entries()) {
    for (let i = 0; i < stride; i++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) {
        sum += weights[k]! * narrow[(start + k) * stride + i]!;
      }
      data[y * stride + i] = sum;
    }
  }
  return { data, width, height };
}
