import { readWith } from "./_fault.ts";
import { soundChunks } from "./_png_chunk.ts";
import { pixelsOf } from "./_png_pixels.ts";
import { textOf } from "./_png_text.ts";
import type { RgbImage } from "./types.ts";

/** What a PNG holds. */
export interface DecodedImage {
  readonly image: RgbImage;
  /** `width · height` values, 0 for transparent; absent where the file has no alpha. */
  readonly alpha?: Uint8ClampedArray;
  /** Texts by keyword, from tEXt, zTXt and iTXt alike. */
  readonly text: Readonly<Record<string, string>>;
}

/**
 * Reads a PNG of any kind: grey, colour or palette, of 1 to 16 bits, interlaced or not. Sixteen bits
 * are rounded to eight. Colours are those of the file, also where they are transparent.
 *
 * @throws {ImageError} When the bytes are no sound PNG or have more than {@linkcode MAX_PIXELS}
 * pixels. Damage that is not in the picture, such as another program's broken text, is none.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { encodePng } from "./encode_png.ts";
 *
 * const image = { data: Uint8ClampedArray.of(255, 0, 0), width: 1, height: 1 };
 * assert.deepEqual(decodePng(encodePng(image)).image, image);
 * ```
 */
export function decodePng(bytes: Uint8Array): DecodedImage {
  return readWith("PNG", bytes, () => {
    const chunks = soundChunks(bytes);
    return { ...pixelsOf(chunks), text: textOf(chunks).text };
  });
}
