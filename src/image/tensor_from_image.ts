import { type Tensor, tensor } from "../tensor.ts";
import type { RgbImage } from "./types.ts";

const RGB_CHANNELS = 3;
const MAX_BYTE = 255;

/**
 * A picture as an encoder takes it, as diffusers' VaeImageProcessor makes it: a byte divided by 255,
 * times 2, minus 1, in float32. The inverse of `imageFromTensor`.
 *
 * @returns `[1, 3, H, W]`, -1…1.
 * @throws {RangeError} When the picture's data do not fill its size.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const white = { data: Uint8ClampedArray.of(255, 255, 255), width: 1, height: 1 };
 * assert.deepEqual([...tensorFromImage(white).data], [1, 1, 1]);
 * ```
 */
export function tensorFromImage({ data, width, height }: RgbImage): Tensor {
  const plane = width * height;
  if (!(width > 0 && height > 0 && data.length === RGB_CHANNELS * plane)) {
    throw new RangeError(
      `A picture of ${width}×${height} holds ${RGB_CHANNELS * plane} values, but ${data.length} ` +
        "were given; both sides must be at least 1.",
    );
  }
  const values = new Float32Array(RGB_CHANNELS * plane);
  for (let pixel = 0; pixel < plane; pixel++) {
    for (let channel = 0; channel < RGB_CHANNELS; channel++) {
      const byte = data[RGB_CHANNELS * pixel + channel]!;
      values[channel * plane + pixel] = 2 * Math.fround(byte / MAX_BYTE) - 1;
    }
  }
  return tensor(values, [1, RGB_CHANNELS, height, width]);
}
