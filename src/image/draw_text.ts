import { GLYPH_HEIGHT, GLYPH_WIDTH, GLYPHS } from "./_glyphs.ts";
import type { RgbImage } from "./types.ts";

/** How text is drawn. */
export interface DrawTextOptions {
  /** The pixel of the picture at which the first letter's upper left corner stands. */
  readonly left: number;
  readonly top: number;
  /**
   * How many pixels of the picture a pixel of a letter is wide and high.
   *
   * @default {1}
   */
  readonly scale?: number;
  /**
   * Red, green and blue, each from 0 to 255.
   *
   * @default {[0, 0, 0]}
   */
  readonly color?: readonly [number, number, number];
}

/** How far the letters of a line lie apart, from the beginning of one to that of the next. */
const ADVANCE = GLYPH_WIDTH + 1;

/** The height of a line of text with the gap to the next one, in pixels. */
export function lineHeight(scale = 1): number {
  return (GLYPH_HEIGHT + 2) * scale;
}

/** The width of a text in one line, in pixels. */
export function textWidth(text: string, scale = 1): number {
  return text.length === 0 ? 0 : (text.length * ADVANCE - 1) * scale;
}

/**
 * A text as it can be drawn: in ASCII, which is all that there are letters for. Accents are left out,
 * full-width characters become plain ones; undefined where anything else stands in it, such as Chinese.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(drawableText("café，３０"), "cafe,30");
 * assert.equal(drawableText("蓝发"), undefined);
 * ```
 */
export function drawableText(text: string): string | undefined {
  const plain = text.normalize("NFKD").replaceAll(/\p{M}/gu, "").replaceAll(/\s+/g, " ")
    .replaceAll("×", "x").replaceAll(/[–—−]/g, "-").trim();
  return Array.from(plain).every((letter) => Object.hasOwn(GLYPHS, letter)) ? plain : undefined;
}

/**
 * Draws a line of text into a picture, with letters of its own, so that no font of the system is
 * needed. What lies outside of the picture is left out.
 *
 * @param text ASCII, as {@linkcode drawableText} makes it; any other character leaves a gap.
 */
export function drawText(image: RgbImage, text: string, options: DrawTextOptions): void {
  const { left, top, scale = 1, color = [0, 0, 0] } = options;
  for (const [place, letter] of [...text].entries()) {
    const rows = GLYPHS[letter]?.split(" ") ?? [];
    for (const [row, pixels] of rows.entries()) {
      for (const [column, pixel] of [...pixels].entries()) {
        if (pixel !== "#") continue;
        const x = left + (place * ADVANCE + column) * scale;
        fill(image, x, top + row * scale, scale, color);
      }
    }
  }
}

function fill(
  { data, width, height }: RgbImage,
  left: number,
  top: number,
  size: number,
  color: readonly [number, number, number],
): void {
  for (let y = Math.max(0, top); y < Math.min(height, top + size); y++) {
    for (let x = Math.max(0, left); x < Math.min(width, left + size); x++) {
      data.set(color, 3 * (y * width + x));
    }
  }
}
