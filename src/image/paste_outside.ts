import type { RgbImage } from "./types.ts";

/** How far a mask is grown before what lies outside of it is pasted. */
export interface PasteOptions {
  /** Pixels; 0 for a hard edge. */
  readonly blur: number;
}

/**
 * A drawn picture with the original's pixels outside of a mask, which is first grown softly: inside of
 * it the drawn picture counts alone, within `blur` pixels of it both, and beyond that the original
 * alone, bit for bit.
 *
 * @param mask A value a pixel; what is above 0 is inside.
 * @throws {RangeError} When the sizes differ.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const row = (value: number) => {
 *   return { data: new Uint8ClampedArray(9).fill(value), width: 3, height: 1 };
 * };
 * const mask = Float32Array.of(1, 0, 0);
 * const { data } = pasteOutside(row(200), row(100), mask, { blur: 1 });
 * assert.deepEqual([data[0], data[3], data[6]], [200, 150, 100]);
 * ```
 */
export function pasteOutside(
  drawn: RgbImage,
  original: RgbImage,
  mask: Float32Array,
  { blur }: PasteOptions,
): RgbImage {
  const { width, height } = drawn;
  const fits = original.width === width && original.height === height &&
    mask.length === width * height;
  if (!fits) {
    throw new RangeError(
      `A picture of ${width}×${height} needs an original of that size and ${
        width * height
      } values ` +
        `of a mask, but was given ${original.width}×${original.height} and ${mask.length}.`,
    );
  }
  const squares = squaredDistances(mask, width, height, Math.ceil(blur) + 1);
  const data = new Uint8ClampedArray(drawn.data.length);
  for (let pixel = 0; pixel < squares.length; pixel++) {
    const share = shareOf(Math.sqrt(squares[pixel]!), blur);
    for (let at = 3 * pixel; at < 3 * pixel + 3; at++) {
      data[at] = Math.round(share * drawn.data[at]! + (1 - share) * original.data[at]!);
    }
  }
  return { data, width, height };
}

/** How much of the drawn picture counts so far from the mask: half a wave down. */
function shareOf(distance: number, blur: number): number {
  if (distance === 0) return 1;
  return distance > blur ? 0 : (1 + Math.cos(Math.PI * distance / (blur + 1))) / 2;
}

/** Each pixel's squared distance to the mask, as far as `reach`; infinite beyond. */
function squaredDistances(
  mask: Float32Array,
  width: number,
  height: number,
  reach: number,
): Float64Array {
  const down = new Float64Array(mask.length);
  for (let column = 0; column < width; column++) {
    let distance = Infinity;
    for (let row = 0; row < height; row++) {
      const at = row * width + column;
      distance = mask[at]! > 0 ? 0 : distance + 1;
      down[at] = distance;
    }
    distance = Infinity;
    for (let row = height - 1; row >= 0; row--) {
      const at = row * width + column;
      distance = mask[at]! > 0 ? 0 : distance + 1;
      down[at] = Math.min(down[at]!, distance) ** 2;
    }
  }
  const squares = new Float64Array(mask.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let least = Infinity;
      const [from, to] = [Math.max(0, column - reach), Math.min(width - 1, column + reach)];
      for (let other = from; other <= to; other++) {
        least = Math.min(least, down[row * width + other]! + (other - column) ** 2);
      }
      squares[row * width + column] = least;
    }
  }
  return squares;
}
