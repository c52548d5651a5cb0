import { RequestError } from "../errors.ts";
import {
  decodePicture,
  encodePng,
  flattened,
  resizeImage,
  type RgbImage,
  WHITE,
} from "../image/mod.ts";

/** How to resize a picture. */
export interface ResizeOptions {
  readonly kind: "lanczos" | "nearest";
  /** By how much; or else both sides in pixels. */
  readonly scale?: number;
  readonly width?: number;
  readonly height?: number;
  /** The most pixels of the result. */
  readonly mostPixels: number;
}

const CHANNELS = 3;

/**
 * A picture in another size, as PNG; white where it was transparent.
 *
 * @param bytes The file of a picture.
 * @throws {ImageError} When the bytes are no picture.
 * @throws {RequestError} When the result would be too large.
 */
export async function resizePicture(
  bytes: Uint8Array,
  { kind, scale = 1, width, height, mostPixels }: ResizeOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const image = flattened(await decodePicture(bytes), WHITE);
  const columns = width ?? Math.max(1, Math.round(image.width * scale));
  const rows = height ?? Math.max(1, Math.round(image.height * scale));
  if (!(columns * rows <= mostPixels)) {
    throw new RequestError({
      en: `The picture would be ${columns} × ${rows} pixels; at most ${mostPixels} are made.`,
      zh: `图片将为 ${columns} × ${rows} 像素；最多允许 ${mostPixels} 像素。`,
    });
  }
  const resized = kind === "nearest"
    ? nearest(image, columns, rows)
    : resizeImage(image, { width: columns, height: rows });
  return new Uint8Array(encodePng(resized));
}

/** Each pixel is the one of the source that it lies in. */
function nearest({ data: source, ...from }: RgbImage, width: number, height: number): RgbImage {
  const data = new Uint8ClampedArray(CHANNELS * width * height);
  const placeOf = (place: number, old: number, size: number) =>
    Math.min(old - 1, Math.floor((place + 0.5) * old / size));
  for (let y = 0; y < height; y++) {
    const row = placeOf(y, from.height, height) * from.width;
    for (let x = 0; x < width; x++) {
      const at = CHANNELS * (row + placeOf(x, from.width, width));
      data.set(source.subarray(at, at + CHANNELS), CHANNELS * (y * width + x));
    }
  }
  return { data, width, height };
}
