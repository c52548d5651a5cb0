import type { RgbImage } from "./types.ts";

const PEAK = 255;

/**
 * The peak signal-to-noise ratio of two pictures in decibels, over all bytes: 10·log10(255² / mean
 * squared difference). `Infinity` when they are equal.
 *
 * @throws {RangeError} When their sizes differ.
 *
 * @example
 * ```ts
 * const black = { data: new Uint8ClampedArray(3), width: 1, height: 1 };
 * const white = { data: new Uint8ClampedArray(3).fill(255), width: 1, height: 1 };
 * psnr(black, white); // 0
 * ```
 */
export function psnr(a: RgbImage, b: RgbImage): number {
  if (a.width !== b.width || a.height !== b.height || a.data.length !== b.data.length) {
    throw new RangeError(
      `Pictures of ${a.width}×${a.height} and ${b.width}×${b.height} cannot be compared: expected ` +
        `equal sizes.`,
    );
  }
  let squares = 0;
  a.data.forEach((value, index) => squares += (value - b.data[index]!) ** 2);
  return 10 * Math.log10(PEAK ** 2 * a.data.length / squares);
}
