/** Pictures in the three protocols for pixels: each draws at the cursor, into cells that are free. */
import { image2sixel } from "sixel";
import { encodePng, type RgbImage } from "../image/mod.ts";
import { resize } from "./_resize.ts";
import type { CellSize } from "./types.ts";

/** What kitty takes in one piece. */
const KITTY_PIECE_LENGTH = 4096;

/**
 * Kitty's: PNG (f=100), transmitted and shown (a=T), without answers (q=2), and without moving the
 * cursor (C=1).
 */
export function kitty(
  image: RgbImage,
  columns: number,
  rows: number,
  id: number | undefined,
): string {
  const payload = encodePng(image).toBase64();
  const number = id === undefined ? "" : `,i=${id}`;
  let keys = `a=T,f=100,q=2,C=1,c=${columns},r=${rows}${number},`;
  let text = "";
  for (let start = 0; start < payload.length; start += KITTY_PIECE_LENGTH) {
    const piece = payload.slice(start, start + KITTY_PIECE_LENGTH);
    const more = start + KITTY_PIECE_LENGTH < payload.length ? 1 : 0;
    text += `\x1b_G${keys}m=${more};${piece}\x1b\\`;
    keys = "";
  }
  return text;
}

/** The longest control sequence that iTerm2 takes is 1,048,576 bytes; the keys need a few. */
const ITERM2_PAYLOAD_LENGTH = 1_048_000;

/** iTerm2's: a PNG, made smaller where it would be too long to be taken. */
export function iterm2(image: RgbImage, columns: number, rows: number): string {
  let png = encodePng(image);
  let payload = png.toBase64();
  while (payload.length > ITERM2_PAYLOAD_LENGTH) {
    image = resize(image, Math.ceil(image.width / 2), Math.ceil(image.height / 2));
    png = encodePng(image);
    payload = png.toBase64();
  }
  const keys = `inline=1;size=${png.length};width=${columns};height=${rows};preserveAspectRatio=1`;
  return `\x1b]1337;File=${keys}:${payload}\x07`;
}

/** The registers of all terminals that are in use; a VT340 had 16. */
const SIXEL_COLORS = 256;
/** No pixel is transparent, so none is left as it was. */
const KEEP_BACKGROUND = 1;

/** DEC's: a palette with dithering, in bands of six rows. */
export function sixel(image: RgbImage, columns: number, rows: number, cell: CellSize): string {
  const { data, width, height } = resize(image, columns * cell.width, rows * cell.height);
  const rgba = new Uint8Array(4 * width * height).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba.set(data.subarray(from, from + 3), to);
  }
  return image2sixel(rgba, width, height, SIXEL_COLORS, KEEP_BACKGROUND);
}
