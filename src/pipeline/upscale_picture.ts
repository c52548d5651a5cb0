import { RequestError } from "../errors.ts";
import { MAX_PIXELS, resizeImage, type RgbImage } from "../image/mod.ts";
import type { DtypePolicy } from "../onnx/mod.ts";
import { LANCZOS } from "./_hires.ts";
import { findUpscaler } from "./find_upscaler.ts";
import { Upscaler } from "./parts/upscaler.ts";

/** How many times larger a picture becomes where a filter enlarges it and nobody says it. */
const DEFAULT_SCALE = 2;

/** How to enlarge a picture. */
export interface UpscaleOptions {
  /** `lanczos`, or a network's file or its name in models/upscaler. */
  readonly upscaler: string;
  /** How many times as wide and high; by default as the network does, or 2. */
  readonly scale?: number | undefined;
  /** Where and with which arithmetic a network runs. */
  readonly policy: DtypePolicy;
}

/**
 * Enlarges a picture. What a network makes larger or smaller than asked for, a filter brings to size.
 *
 * @throws {RequestError} When the scale is out of range, there is no such network, or the picture would
 *   have more than {@linkcode MAX_PIXELS} pixels.
 */
export async function upscalePicture(
  image: RgbImage,
  { upscaler, scale, policy }: UpscaleOptions,
): Promise<RgbImage> {
  const network = upscaler === LANCZOS
    ? undefined
    : await Upscaler.open(await findUpscaler(upscaler), policy);
  const factor = scale ?? network?.scale ?? DEFAULT_SCALE;
  const [width, height] = [image.width, image.height].map((side) =>
    Math.max(1, Math.round(side * factor))
  ) as [number, number];
  if (!(factor > 0) || width * height > MAX_PIXELS) {
    throw new RequestError(
      `The picture would be ${width}×${height}; at most ${MAX_PIXELS} pixels (such as 8192×8192) are ` +
        "written. Give a smaller scale.",
      {
        zh: `图片将为 ${width}×${height}；最多 ${MAX_PIXELS} 像素（例如 8192×8192）。请减小倍数。`,
      },
    );
  }
  const enlarged = network === undefined ? image : await network.upscale(image);
  return resizeImage(enlarged, { width, height });
}
