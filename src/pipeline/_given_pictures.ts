/** The picture and the mask that a call of `generate` was given. */
import { RequestError } from "../errors.ts";
import type { RgbImage } from "../image/mod.ts";
import type { Texts } from "../language.ts";
import { type Tensor, tensor } from "../tensor.ts";
import { sampleOf, stack } from "./_batches.ts";
import { isRgbImage, pictureTensor } from "./_picture_tensor.ts";
import { expectTensor } from "./parts/expect_tensor.ts";
import type { GenerateOptions } from "./types.ts";

/** What was given, checked. */
export interface GivenPictures {
  /** [1 or pictures, 3, H, W], -1…1. */
  readonly image: Tensor;
  /** [1 or pictures, 1, H, W], 0…1. */
  readonly mask?: Tensor | undefined;
}

/**
 * Checks the pictures of a call.
 *
 * @param promptCount One picture for each prompt serves for all that are drawn of it.
 * @returns Undefined when none was given.
 * @throws {RequestError} When they do not fit each other or the call, or what needs them is asked for
 *   without.
 */
export function givenPictures(
  options: GenerateOptions,
  promptCount: number,
  imageCount: number,
): GivenPictures | undefined {
  const { image, maskImage } = options;
  expectNeeded("image", image, { maskImage, strength: options.strength });
  expectNeeded("maskImage", maskImage, {
    maskBlur: options.maskBlur,
    overlay: options.overlay,
    differentialMask: options.differentialMask,
  });
  if (image === undefined) return undefined;
  const all = Array.isArray(image) ? image : [image as Tensor | RgbImage];
  const pictures = all.map((one) => pictureTensor("image", one));
  const [first, ...others] = pictures;
  if (first === undefined || others.some(({ dims }) => String(dims) !== String(first.dims))) {
    throw new RequestError("The pictures of a list must be of one size, and at least one.", {
      zh: "列表中的图片至少要有一张，且尺寸必须相同。",
    });
  }
  const whole = others.length === 0 ? first : stack(pictures);
  const each = forEach("image", whole, promptCount, imageCount);
  if (maskImage === undefined) return { image: each };
  const mask = maskTensor(maskImage);
  const [size, own] = [whole, mask].map(({ dims: [, , height, width] }) => `${width}×${height}`);
  if (size !== own) {
    throw new RequestError(`maskImage is ${own}, but image is ${size}: make them of one size.`, {
      zh: `maskImage 是 ${own}，而 image 是 ${size}：两者尺寸必须相同。`,
    });
  }
  return { image: each, mask: forEach("maskImage", mask, promptCount, imageCount) };
}

/** Refuses settings that say nothing without a picture. */
function expectNeeded(name: string, given: unknown, needing: Readonly<Record<string, unknown>>) {
  if (given !== undefined) return;
  const asked = Object.keys(needing).find((key) => needing[key] !== undefined);
  if (asked === undefined) return;
  const what: Texts<string> = name === "image"
    ? { en: "a picture to start from", zh: "起点图片" }
    : { en: "a mask", zh: "蒙版" };
  throw new RequestError(`${asked} needs ${what.en} (${name}), but none was given.`, {
    zh: `${asked} 需要${what.zh}（${name}），但没有给出。`,
  });
}

/** One for all, or one for each picture of the call. */
function forEach(name: string, whole: Tensor, promptCount: number, imageCount: number): Tensor {
  const [count = 0] = whole.dims;
  if (count === 1 || count === imageCount) return whole;
  if (count !== promptCount) {
    throw new RequestError(
      `${name} holds ${count} pictures, but ${imageCount} are to be drawn of ${promptCount} ` +
        "prompts; give one for all, one for each prompt, or one for each picture.",
      {
        zh: `${name} 有 ${count} 张图片，而要为 ${promptCount} 个提示词绘制 ${imageCount} 张；` +
          "请只给一张、每个提示词一张，或每张图片一张。",
      },
    );
  }
  const samples = Array.from({ length: imageCount }, (_, index) => {
    return sampleOf(name, whole, Math.floor(index * promptCount / imageCount), promptCount);
  });
  return stack(samples);
}

/** A mask as [B, 1, H, W] in 0…1; of a picture in colours, its grey as Pillow's `convert("L")`. */
function maskTensor(given: Tensor | RgbImage): Tensor {
  if (isRgbImage(given)) {
    const { dims: [, , height, width] } = pictureTensor("maskImage", given);
    const { data } = given;
    const grey = Float32Array.from({ length: data.length / 3 }, (_, pixel) => {
      const [red, green, blue] = data.subarray(3 * pixel, 3 * pixel + 3);
      return Math.round((299 * red! + 587 * green! + 114 * blue!) / 1000) / 255;
    });
    return tensor(grey, [1, 1, height!, width!]);
  }
  expectTensor("maskImage", given, 4);
  const isMask = given.dims[1] === 1 && given.data.every((value) => value >= 0 && value <= 1);
  if (isMask) return given;
  throw new RequestError(
    `maskImage must be [B, 1, H, W] of values from 0 (kept) to 1 (drawn anew), but is ` +
      `[${given.dims.join(", ")}]${given.dims[1] === 1 ? " with values beyond" : ""}.`,
    {
      zh: `maskImage 应为 [B, 1, H, W]，取值从 0（保留）到 1（重画），但是 ` +
        `[${given.dims.join(", ")}]${given.dims[1] === 1 ? "，且有超出范围的值" : ""}。`,
    },
  );
}
