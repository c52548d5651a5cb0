import type { RgbImage } from "../image/mod.ts";
import { resize } from "./_resize.ts";
import type { TerminalColors } from "./types.ts";

type Rgb = readonly [red: number, green: number, blue: number];

/** The text's colour above, the background's below. */
const UPPER_HALF = "▀";
const RESET = "\x1b[0m";
/** The terminal is in raw mode while it is asked things, and then "\n" alone does not return. */
const LINE_END = "\r\n";

/** How much of the cell has the text's colour: none, a quarter, a half, three quarters, all. */
const SHADES = [" ", "░", "▒", "▓", "█"];

/** Rec. 709's weights of red, green and blue. */
const LUMINANCE: Rgb = [0.2126, 0.7152, 0.0722];
const MAX_BYTE = 255;

/** A picture as characters. */
export function blocks(
  image: RgbImage,
  columns: number,
  rows: number,
  colors: TerminalColors,
): string {
  const lines = colors === "none"
    ? shadedLines(resize(image, columns, rows))
    : colouredLines(resize(image, columns, 2 * rows), COLOR_CODES[colors]);
  return lines.map((line) => line + LINE_END).join("");
}

/** Shades are made for light text on a dark ground. */
function shadedLines(image: RgbImage): string[] {
  return Array.from({ length: image.height }, (_, y) => {
    const shades = Array.from({ length: image.width }, (_, x) => {
      const luminance = pixelAt(image, x, y).reduce(
        (sum, value, channel) => sum + value * LUMINANCE[channel]!,
        0,
      );
      return SHADES[Math.round(luminance / MAX_BYTE * (SHADES.length - 1))]!;
    });
    return shades.join("");
  });
}

function colouredLines(image: RgbImage, code: (color: Rgb) => string): string[] {
  return Array.from({ length: image.height / 2 }, (_, row) => {
    let line = "";
    let former = "";
    for (let x = 0; x < image.width; x++) {
      const above = code(pixelAt(image, x, 2 * row));
      const below = code(pixelAt(image, x, 2 * row + 1));
      const codes = `\x1b[38;${above};48;${below}m`;
      line += codes === former ? UPPER_HALF : codes + UPPER_HALF;
      former = codes;
    }
    return line + RESET;
  });
}

function pixelAt({ data, width }: RgbImage, x: number, y: number): Rgb {
  const first = 3 * (y * width + x);
  return [data[first]!, data[first + 1]!, data[first + 2]!];
}

/** The parameters of SGR after 38 or 48. */
const COLOR_CODES: Readonly<Record<"truecolor" | "256", (color: Rgb) => string>> = {
  truecolor: ([red, green, blue]) => `2;${red};${green};${blue}`,
  "256": (color) => `5;${nearestOf256(color)}`,
};

/** Of xterm's 256 colours, 16 to 231 are a cube with these levels, 232 to 255 are greys. */
const LEVELS = [0, 95, 135, 175, 215, 255];
const FIRST_OF_CUBE = 16;
const FIRST_GREY = 232;
const GREYS = Array.from({ length: 24 }, (_, index) => 8 + 10 * index);

function nearestOf256(color: Rgb): number {
  const [red, green, blue] = color.map((value) => nearestIndex(LEVELS, value)) as [
    number,
    number,
    number,
  ];
  const cube: Rgb = [LEVELS[red]!, LEVELS[green]!, LEVELS[blue]!];
  const grey = nearestIndex(GREYS, color.reduce((sum, value) => sum + value, 0) / 3);
  const level = GREYS[grey]!;
  return distance(color, cube) <= distance(color, [level, level, level])
    ? FIRST_OF_CUBE + 36 * red + 6 * green + blue
    : FIRST_GREY + grey;
}

function nearestIndex(levels: readonly number[], value: number): number {
  let best = 0;
  levels.forEach((level, index) => {
    if (Math.abs(level - value) < Math.abs(levels[best]! - value)) best = index;
  });
  return best;
}

function distance(a: Rgb, b: Rgb): number {
  return a.reduce((sum, value, channel) => sum + (value - b[channel]!) ** 2, 0);
}
