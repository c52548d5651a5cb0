import { RequestError } from "../errors.ts";
import { writeAvifText } from "./_avif.ts";
import { encodeAvif, encodeJpeg, encodeWebp } from "./_codecs.ts";
import { COMMENT } from "./_exif.ts";
import { writeJpegText } from "./_jpeg.ts";
import { writeWebpText } from "./_webp.ts";
import { encodePng, type EncodePngOptions } from "./encode_png.ts";
import type { PictureFormat, RgbImage } from "./types.ts";

/** The longest side that each format can have. */
const LONGEST_SIDE: Readonly<Record<PictureFormat, number>> = {
  png: 2 ** 31 - 1,
  jpeg: 65_500,
  webp: 16_383,
  avif: 65_536,
};

const WRITERS = {
  jpeg: { encode: encodeJpeg, addText: writeJpegText },
  webp: { encode: encodeWebp, addText: writeWebpText },
  avif: { encode: encodeAvif, addText: writeAvifText },
} as const;

/**
 * Writes a picture as PNG, JPEG, WebP or AVIF. PNG keeps every pixel; the others lose what is hardly
 * seen (quality 95 for JPEG and WebP, 85 for AVIF, without subsampled chroma where the format
 * allows). The same picture and text give the same bytes.
 *
 * Where the format is no PNG, the text `parameters` becomes EXIF's UserComment in UTF-16, and all
 * others become XMP; `readPictureText` gives them back by their keywords.
 *
 * @throws {RequestError} When a side is longer than the format can hold.
 * @throws {RangeError} When the picture's data do not fill its size, or a text holds U+0000.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readPictureText } from "./read_picture_text.ts";
 *
 * const image = { data: new Uint8ClampedArray(3 * 8 * 8), width: 8, height: 8 };
 * const webp = await encodePictureAs(image, "webp", { text: { author: "初音ミク" } });
 * assert.equal(readPictureText(webp).text["author"], "初音ミク");
 * ```
 */
export async function encodePictureAs(
  image: RgbImage,
  format: PictureFormat,
  { text = {} }: EncodePngOptions = {},
): Promise<Uint8Array> {
  if (format === "png") return encodePng(image, { text });
  const { data, width, height } = image;
  const most = LONGEST_SIDE[format];
  if (!(width > 0 && height > 0 && data.length === 3 * width * height)) {
    throw new RangeError(
      `A picture of ${width}×${height} holds ${3 * width * height} values, but ${data.length} ` +
        "were given; both sides must be at least 1.",
    );
  }
  if (Math.max(width, height) > most) {
    throw new RequestError({
      en: `A picture of ${width}×${height} does not fit into ${format}, whose sides have at most ` +
        `${most} pixels. Write a PNG.`,
      zh: `${format} 的边长最多为 ${most} 像素，存不下 ${width}×${height} 的图片。请保存为 PNG。`,
    });
  }
  const broken = Object.keys(text).find((keyword) => text[keyword]!.includes("\0"));
  if (broken !== undefined) {
    throw new RangeError(`The text ${JSON.stringify(broken)} holds U+0000: remove it.`);
  }
  const { encode, addText } = WRITERS[format];
  const { [COMMENT]: comment, ...others } = text;
  return addText(await encode(image), comment, others);
}
