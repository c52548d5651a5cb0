import { isAvif } from "./_avif.ts";
import { isJpeg } from "./_jpeg.ts";
import { SIGNATURE } from "./_png_chunk.ts";
import { isWebp } from "./_webp.ts";
import type { PictureFormat } from "./types.ts";

/**
 * The format of a picture, by its first bytes; undefined when it is none that is read.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(pictureFormat(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)), "jpeg");
 * ```
 */
export function pictureFormat(bytes: Uint8Array): PictureFormat | undefined {
  if (SIGNATURE.every((byte, index) => bytes[index] === byte)) return "png";
  if (isJpeg(bytes)) return "jpeg";
  if (isWebp(bytes)) return "webp";
  return isAvif(bytes) ? "avif" : undefined;
}

const ENDINGS: Readonly<Record<string, PictureFormat>> = {
  png: "png",
  jpg: "jpeg",
  jpeg: "jpeg",
  webp: "webp",
  avif: "avif",
};

/** The endings of the files that pictures are written to, without their dot. */
export const PICTURE_ENDINGS: readonly string[] = Object.keys(ENDINGS);

/**
 * The format that the ending of a file's name asks for; undefined when it asks for none that is
 * written.
 */
export function formatOfName(name: string): PictureFormat | undefined {
  const ending = /\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending] : undefined;
}
