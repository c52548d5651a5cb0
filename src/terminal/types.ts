/**
 * How a terminal shows pictures.
 *
 * @module
 */

/**
 * - `"kitty"`: https://sw.kovidgoyal.net/kitty/graphics-protocol/
 * - `"iterm2"`: https://iterm2.com/documentation-images.html
 * - `"sixel"`: DEC's, VT330/VT340 Programmer Reference Manual, volume 2, chapter 14.
 * - `"blocks"`: a character cell is two coloured pixels, one above the other.
 * - `"none"`: not at all.
 */
export type GraphicsProtocol = "kitty" | "iterm2" | "sixel" | "blocks" | "none";

/** Which colours `"blocks"` may use; with `"none"`, shades of the text's own colour. */
export type TerminalColors = "truecolor" | "256" | "none";

/** Pixels of a character cell. */
export interface CellSize {
  readonly width: number;
  readonly height: number;
}

/** Where a picture has to fit in. It fills as much of it as its proportions allow. */
export interface RenderOptions {
  /** The most character cells across, from 1. */
  readonly columns: number;
  /**
   * The most character cells down, from 1. A picture that is to be drawn over must fit on the
   * screen.
   *
   * @default {Infinity}
   */
  readonly rows?: number | undefined;
  /**
   * What `"blocks"` may use.
   *
   * @default {"truecolor"}
   */
  readonly colors?: TerminalColors | undefined;
  /**
   * Kitty's number of the picture, from 1 to 2³² − 1. A picture takes the place of the former one
   * of its number, wherever that stood in this terminal; without a number it stays. Draw the steps
   * of one picture with one random number.
   */
  readonly id?: number | undefined;
  /**
   * Its proportions count for all protocols, its size for sixel, which knows pixels alone. The
   * default is that of DEC's VT340, which Windows Terminal imitates too; most others have the same
   * proportions.
   *
   * @default {{ width: 10, height: 20 }}
   */
  readonly cell?: CellSize | undefined;
}

/** A picture for a terminal. */
export interface RenderedPicture {
  /** To be written at the beginning of a line; the cursor is at the beginning of a line afterwards. */
  readonly text: string;
  /** How many cells the picture is across. */
  readonly columns: number;
  /** How many lines it takes, which is how far down the cursor has moved. */
  readonly rows: number;
}
