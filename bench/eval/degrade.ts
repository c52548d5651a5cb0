/**
 * What a decoder and a small diffusion model do to pictures, roughly: to see what the checker bears.
 *
 * @module
 */
import type { RgbImage } from "../../src/image/mod.ts";
import { createGenerator } from "../../src/random/mod.ts";

const CHANNELS = 3;
/** Blur, standard deviation in pixels, and how far its kernel reaches. */
const BLUR_SIGMA = 1;
const BLUR_REACH = 3;
/** Noise, standard deviation in bytes. */
const NOISE_SIGMA = 6;
/** All channels become lighter or darker by up to so many bytes, and each by up to so many more. */
const BRIGHTNESS_SHIFT = 8;
const CHANNEL_SHIFT = 4;

/** Blurs a picture, shifts its brightness and its colours, and adds noise. */
export function degrade(image: RgbImage, seed: number): RgbImage {
  const blurred = blur(image);
  const noise = createGenerator({ seed }).randn(blurred.length + CHANNELS + 1);
  const shift = (index: number, most: number) => most * Math.tanh(noise[blurred.length + index]!);
  const brightness = shift(CHANNELS, BRIGHTNESS_SHIFT);
  const colors = Array.from({ length: CHANNELS }, (_, channel) => shift(channel, CHANNEL_SHIFT));
  const data = new Uint8ClampedArray(blurred.length);
  for (let i = 0; i < data.length; i++) {
    const shifted = blurred[i]! + brightness + colors[i % CHANNELS]!;
    data[i] = Math.round(shifted + NOISE_SIGMA * noise[i]!);
  }
  return { ...image, data };
}

/** A Gaussian, first along rows, then along columns; edges go on as they end. */
function blur({ data, width, height }: RgbImage): Float32Array {
  const kernel = Array.from(
    { length: 2 * BLUR_REACH + 1 },
    (_, index) => Math.exp(-((index - BLUR_REACH) ** 2) / (2 * BLUR_SIGMA ** 2)),
  );
  const total = kernel.reduce((sum, weight) => sum + weight);
  const along = (source: ArrayLike<number>, dx: number, dy: number) => {
    const result = new Float32Array(data.length);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        kernel.forEach((weight, index) => {
          const column = clamp(x + dx * (index - BLUR_REACH), width);
          const row = clamp(y + dy * (index - BLUR_REACH), height);
          for (let channel = 0; channel < CHANNELS; channel++) {
            result[CHANNELS * (y * width + x) + channel]! += weight / total *
              source[CHANNELS * (row * width + column) + channel]!;
          }
        });
      }
    }
    return result;
  };
  return along(along(data, 1, 0), 0, 1);
}

function clamp(index: number, length: number): number {
  return Math.min(length - 1, Math.max(0, index));
}
