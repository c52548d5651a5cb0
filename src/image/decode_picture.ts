import { decodeAvif, decodeJpeg, decodeWebp, type Rgba } from "./_codecs.ts";
import { cutShort, Fault, imageError, Unsupported } from "./_fault.ts";
import { readExif } from "./_exif.ts";
import { orient } from "./_orient.ts";
import { checkPixels } from "./_pixel_bound.ts";
import { soundChunks } from "./_png_chunk.ts";
import { pixelsOf } from "./_png_pixels.ts";
import { unknownFormat } from "./_unknown_format.ts";
import { pictureFormat } from "./picture_format.ts";
import { CONTAINERS } from "./read_picture_text.ts";
import type { DecodedPicture, PictureFormat } from "./types.ts";

const NAMES: Readonly<Record<PictureFormat, string>> = {
  png: "PNG",
  jpeg: "JPEG",
  webp: "WebP",
  avif: "AVIF",
};

const DECODERS: Readonly<
  Record<Exclude<PictureFormat, "png">, (bytes: Uint8Array) => Promise<Rgba>>
> = { jpeg: decodeJpeg, webp: decodeWebp, avif: decodeAvif };

/**
 * Reads a PNG, JPEG, WebP or AVIF of any kind into red, green and blue of eight bits, turned as its
 * EXIF orientation says. Colour profiles are not applied. What is transparent keeps the colour that
 * the file has there; how transparent it is stands apart in `alpha`.
 *
 * Of an animated PNG or AVIF it is the picture that programs show which know no animations.
 *
 * @throws {ImageError} When the bytes are of none of these formats, damaged or cut short, an animated
 * WebP, of a kind that hardly any program writes, or have more than {@linkcode MAX_PIXELS} pixels, which the header shows before anything is
 * decoded.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const { image, alpha, format } = await decodePicture(
 *   await Deno.readFile("models/demo/health_check.png"),
 * );
 * assert.deepEqual([image.width, image.height, alpha, format], [256, 256, undefined, "png"]);
 * ```
 */
export async function decodePicture(bytes: Uint8Array): Promise<DecodedPicture> {
  const format = pictureFormat(bytes);
  if (format === undefined) throw unknownFormat(bytes);
  try {
    return { ...await decode(bytes, format), format };
  } catch (error) {
    throw imageError(NAMES[format], bytes, error);
  }
}

async function decode(
  bytes: Uint8Array,
  format: PictureFormat,
): Promise<Omit<DecodedPicture, "format">> {
  if (format === "png") {
    const chunks = soundChunks(bytes);
    const exif = chunks.find(({ type, isSound }) => type === "eXIf" && isSound)?.data;
    return orient(
      withoutFullAlpha(pixelsOf(chunks)),
      exif === undefined ? 1 : readExif(exif).orientation,
    );
  }
  const { size, exif, isWhole, unsupported, orientation } = CONTAINERS[format](bytes);
  if (unsupported !== undefined) throw new Unsupported(unsupported.en, unsupported.zh);
  if (!isWhole) throw cutShort();
  if (size === undefined || size.width * size.height === 0) {
    throw new Fault("it states no size", "没有注明尺寸");
  }
  checkPixels(size.width, size.height);
  const parts = separated(await DECODERS[format](bytes));
  return orient(parts, orientation ?? (exif === undefined ? 1 : readExif(exif).orientation));
}

/** An alpha that is everywhere full, as browsers write it, is none. */
function withoutFullAlpha(
  { image, alpha }: Omit<DecodedPicture, "format">,
): Omit<DecodedPicture, "format"> {
  return alpha === undefined || alpha.every((value) => value === 255)
    ? { image }
    : { image, alpha };
}

/** Colours and alpha apart; an alpha that is everywhere full is none. */
function separated({ data, width, height }: Rgba): Omit<DecodedPicture, "format"> {
  const pixels = width * height;
  const rgb = new Uint8ClampedArray(3 * pixels);
  const alpha = new Uint8ClampedArray(pixels);
  let isOpaque = true;
  for (let pixel = 0; pixel < pixels; pixel++) {
    rgb[3 * pixel] = data[4 * pixel]!;
    rgb[3 * pixel + 1] = data[4 * pixel + 1]!;
    rgb[3 * pixel + 2] = data[4 * pixel + 2]!;
    alpha[pixel] = data[4 * pixel + 3]!;
    isOpaque &&= alpha[pixel] === 255;
  }
  const image = { data: rgb, width, height };
  return isOpaque ? { image } : { image, alpha };
}
