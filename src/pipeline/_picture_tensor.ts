import { RequestError } from "../errors.ts";
import { type RgbImage, tensorFromImage } from "../image/mod.ts";
import type { Tensor } from "../tensor.ts";
import { expectTensor } from "./parts/expect_tensor.ts";

/**
 * A given picture as [B, 3, H, W] in −1…1.
 *
 * @throws {RequestError} When it is neither a decoded picture nor such a tensor.
 */
export function pictureTensor(name: string, given: Tensor | RgbImage): Tensor {
  if (isRgbImage(given)) {
    try {
      return tensorFromImage(given);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new RequestError(`${name}: ${cause.message}`, {
        cause,
        zh: `${name}：图片的数据与其尺寸 ${given.width}×${given.height} 不符。`,
      });
    }
  }
  expectTensor(name, given, 4);
  const broken = given.data.findIndex((value) => !Number.isFinite(value));
  if (given.dims[1] !== 3 || broken >= 0) {
    const found = broken < 0 ? `[${given.dims.join(", ")}]` : `${given.data[broken]} at ${broken}`;
    throw new RequestError(`${name} must be [B, 3, H, W] of finite numbers, but is ${found}.`, {
      zh: `${name} 应为由有限数值组成的 [B, 3, H, W]，但是 ${found}。`,
    });
  }
  return given;
}

/** Whether it is a decoded picture, and no tensor. */
export function isRgbImage(given: Tensor | RgbImage): given is RgbImage {
  return typeof given === "object" && given !== null && "width" in given;
}
