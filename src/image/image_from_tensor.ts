import type { Tensor } from "../tensor.ts";
import { ImageError, type RgbImage } from "./types.ts";

const RGB_CHANNELS = 3;
const MAX_BYTE = 255;

/**
 * One picture out of decoded latents, as diffusers' VaeImageProcessor makes it: x/2 + 0.5, clamped
 * to 0…1, times 255 in float32, and rounded, halves to the even neighbour.
 *
 * @param decoded `[B, 3, H, W]`, about -1…1.
 * @param index Which of the B pictures.
 * @throws {RangeError} When the tensor has other dimensions or no picture of that index.
 * @throws {ImageError} When a value is NaN.
 *
 * @example
 * ```ts
 * const decoded = { data: Float32Array.of(-1, 0.2, 1), dims: [1, 3, 1, 1], type: "float32" } as const;
 * imageFromTensor(decoded); // { data: [0, 153, 255], width: 1, height: 1 }
 * ```
 */
export function imageFromTensor(decoded: Tensor, index = 0): RgbImage {
  const [batch = 0, channels = 0, height = 0, width = 0] = decoded.dims;
  if (decoded.dims.length !== 4 || channels !== RGB_CHANNELS || !(index >= 0 && index < batch)) {
    throw new RangeError(
      `Picture ${index} was asked of a tensor [${decoded.dims.join(", ")}]; expected ` +
        `[B, ${RGB_CHANNELS}, H, W] with an index below B.`,
    );
  }
  const plane = height * width;
  const start = index * RGB_CHANNELS * plane;
  const data = new Uint8ClampedArray(RGB_CHANNELS * plane);
  for (let channel = 0; channel < RGB_CHANNELS; channel++) {
    for (let pixel = 0; pixel < plane; pixel++) {
      const value = decoded.data[start + channel * plane + pixel]!;
      if (Number.isNaN(value)) {
        throw new ImageError(
          `The decoded picture ${index} holds NaN (channel ${channel}, row ` +
            `${Math.floor(pixel / width)}, column ${pixel % width}). The latents or the ` +
            `autoencoder's weights are damaged, or the arithmetic overflowed: try a wider dtype.`,
          {
            zh: `解码后的第 ${index} 张图片含有 NaN（通道 ${channel}，第 ${
              Math.floor(pixel / width)
            } 行，第 ${
              pixel % width
            } 列）。潜变量或自编码器的权重已损坏，或运算溢出：请换用范围更大的 dtype。`,
          },
        );
      }
      data[RGB_CHANNELS * pixel + channel] = toByte(value);
    }
  }
  return { data, width, height };
}

function toByte(value: number): number {
  const unit = Math.min(1, Math.max(0, Math.fround(value / 2 + 0.5)));
  return roundHalfEven(Math.fround(unit * MAX_BYTE));
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
