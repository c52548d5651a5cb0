import { readAvif } from "./_avif.ts";
import type { Container } from "./_container.ts";
import { COMMENT, readExif, SOFTWARE } from "./_exif.ts";
import { readJpeg } from "./_jpeg.ts";
import { readChunks } from "./_png_chunk.ts";
import { textOf } from "./_png_text.ts";
import { unknownFormat } from "./_unknown_format.ts";
import { readWebp } from "./_webp.ts";
import { readXmp } from "./_xmp.ts";
import { pictureFormat } from "./picture_format.ts";
import { MAX_TEXT_BYTES, type PictureFormat, type PictureText } from "./types.ts";

/** How files that are no PNG are taken apart. */
export const CONTAINERS: Readonly<
  Record<Exclude<PictureFormat, "png">, (bytes: Uint8Array) => Container>
> = { jpeg: readJpeg, webp: readWebp, avif: readAvif };

/** The keyword under which PNG has XMP. */
const PNG_XMP = "XML:com.adobe.xmp";

/**
 * The texts of a PNG, JPEG, WebP or AVIF, without decoding the picture: whatever the picture is like,
 * and whether or not it is whole. Damage in one text leaves the others as they are.
 *
 * It takes time and memory in proportion to the file, and to {@linkcode MAX_TEXT_BYTES} for what is
 * compressed in it.
 *
 * @throws {ImageError} When the bytes are of none of these formats.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { encodePng } from "./encode_png.ts";
 *
 * const image = { data: new Uint8ClampedArray(3), width: 1, height: 1 };
 * const png = encodePng(image, { text: { prompt: "1girl" } });
 * const cut = png.subarray(0, png.length - 20);
 * assert.deepEqual(readPictureText(cut).text, { prompt: "1girl" });
 * assert.equal(readPictureText(cut).isWhole, false);
 * ```
 */
export function readPictureText(bytes: Uint8Array): PictureText {
  const format = pictureFormat(bytes);
  if (format === undefined) throw unknownFormat(bytes);
  if (format === "png") return pngText(bytes);
  const { exif, xmp, isWhole } = CONTAINERS[format](bytes);
  const packets = xmp.filter(({ length }) => length <= MAX_TEXT_BYTES);
  const text = {
    ...exifTexts(exif),
    ...Object.assign({}, ...packets.map((packet) => readXmp(new TextDecoder().decode(packet)))),
  };
  return { format, text, unread: [], isWhole };
}

function pngText(bytes: Uint8Array): PictureText {
  const { chunks, fault } = readChunks(bytes);
  const { text, unread } = textOf(chunks);
  const exif = chunks.find(({ type, isSound }) => type === "eXIf" && isSound)?.data;
  const { [PNG_XMP]: xmp = "" } = text;
  return {
    format: "png",
    text: { ...exifTexts(exif), ...readXmp(xmp), ...text },
    unread,
    isWhole: fault === undefined && chunks.every(({ isSound }) => isSound),
  };
}

function exifTexts(tiff: Uint8Array | undefined): Record<string, string> {
  if (tiff === undefined || tiff.length > MAX_TEXT_BYTES) return {};
  const { texts: { UserComment, ...others } } = readExif(tiff);
  const texts = Object.entries(others).map(([name, value]) => [`exif:${name}`, value]);
  if (UserComment === undefined) return Object.fromEntries(texts);
  const isOwn = others["Software"] === SOFTWARE;
  return Object.fromEntries([...texts, [isOwn ? COMMENT : "exif:UserComment", UserComment]]);
}
