import type { DecodedPicture, RgbImage } from "./types.ts";

/** The ground under what is transparent, as most programs show it. */
export const WHITE = 255;

/**
 * A picture's colours over a plain ground, where it is transparent. The colours that the file has there are
 * nobody's to see: programs leave black or anything else.
 *
 * @param ground The grey of the ground, from 0 to 255.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const image = { data: Uint8ClampedArray.of(10, 20, 30), width: 1, height: 1 };
 * assert.deepEqual([...flattened({ image, alpha: Uint8ClampedArray.of(0) }, WHITE).data], [
 *   255,
 *   255,
 *   255,
 * ]);
 * assert.equal(flattened({ image }, WHITE), image);
 * ```
 */
export function flattened(
  { image, alpha }: Omit<DecodedPicture, "format">,
  ground: number,
): RgbImage {
  if (alpha === undefined) return image;
  const data = image.data.map((value, at) => {
    const share = alpha[Math.floor(at / 3)]! / 255;
    return Math.round(share * value + (1 - share) * ground);
  });
  return { ...image, data };
}
