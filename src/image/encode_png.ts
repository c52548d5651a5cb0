import { encode } from "fast-png";
import { insertText } from "./_png_text.ts";
import type { RgbImage } from "./types.ts";

/** What goes into a PNG besides the picture. */
export interface EncodePngOptions {
  /**
   * Texts by keyword. Texts may hold any Unicode except U+0000; half of a surrogate pair becomes
   * U+FFFD.
   */
  readonly text?: Readonly<Record<string, string>>;
}

/**
 * Writes a picture as a PNG of 8 bits a channel. The same picture and text give the same bytes.
 *
 * @throws {RangeError} When the picture's data do not fill its size, a keyword breaks PNG's rules (1
 * to 79 printable Latin-1 characters, single spaces inside), or a text holds U+0000.
 *
 * @example
 * ```ts
 * const image = { data: new Uint8ClampedArray(3 * 4 * 2), width: 4, height: 2 };
 * encodePng(image, { text: { prompt: "初音ミク" } });
 * ```
 */
export function encodePng(image: RgbImage, options: EncodePngOptions = {}): Uint8Array {
  const { data, width, height } = image;
  const expected = 3 * width * height;
  if (!(width > 0 && height > 0 && data.length === expected)) {
    throw new RangeError(
      `A picture of ${width}×${height} holds ${expected} values, but ${data.length} were given; ` +
        `both sides must be at least 1.`,
    );
  }
  const png = encode({ data, width, height, channels: 3, depth: 8 });
  return insertText(png, options.text ?? {});
}
