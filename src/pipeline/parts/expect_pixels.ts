import { RequestError } from "../../errors.ts";
import { MAX_PIXELS, type RgbImage } from "../../image/mod.ts";

/**
 * Refuses to enlarge a picture beyond what is written.
 *
 * @throws {RequestError} When it would have more than {@linkcode MAX_PIXELS} pixels, or none.
 */
export function expectPixels(image: Pick<RgbImage, "width" | "height">, factor: number): void {
  const [width, height] = [image.width, image.height].map((side) => Math.round(side * factor));
  if (factor > 0 && width! * height! <= MAX_PIXELS) return;
  throw new RequestError(
    `The picture would be ${width}×${height}; at most ${MAX_PIXELS} pixels (such as 8192×8192) are ` +
      "written. Give a smaller picture, or a smaller scale.",
    {
      zh: `图片将为 ${width}×${height}；最多 ${MAX_PIXELS} 像素（例如 8192×8192）。` +
        "请使用更小的图片或更小的倍数。",
    },
  );
}
