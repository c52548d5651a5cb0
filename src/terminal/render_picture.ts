import type { RgbImage } from "../image/mod.ts";
import { blocks } from "./_blocks.ts";
import { iterm2, kitty, sixel } from "./_protocols.ts";
import { moveUp } from "./move_up.ts";
import type { CellSize, GraphicsProtocol, RenderedPicture, RenderOptions } from "./types.ts";

const VT340_CELL: CellSize = { width: 10, height: 20 };

const SAVE_CURSOR = "\x1b7";
const RESTORE_CURSOR = "\x1b8";

/**
 * Writes a picture in a terminal's language.
 *
 * Whatever the protocol, the picture takes `rows` lines and the cursor goes to the line below, so
 * that {@linkcode moveUp} goes back to its first line, to draw the next step of the same picture
 * there. With `"none"` there is nothing to write, and `rows` is 0.
 *
 * @throws {RangeError} When `columns`, `rows` or the cell's size is below 1.
 *
 * @example Draw a picture, and another one over it.
 * ```ts
 * import { moveUp } from "./move_up.ts";
 *
 * const image = { data: new Uint8ClampedArray(3 * 8 * 8), width: 8, height: 8 };
 * const { text, rows } = renderPicture(image, "blocks", { columns: 4 });
 * console.log(text + moveUp(rows) + text);
 * ```
 */
export function renderPicture(
  image: RgbImage,
  protocol: GraphicsProtocol,
  options: RenderOptions,
): RenderedPicture {
  const { colors = "truecolor", id, cell = VT340_CELL } = options;
  if (protocol === "none") return { text: "", columns: 0, rows: 0 };
  const { columns, rows } = fit(image, options, cell);
  const text = {
    kitty: () => inPlace(kitty(image, columns, rows, id), rows),
    iterm2: () => inPlace(iterm2(image, columns, rows), rows),
    sixel: () => inPlace(sixel(image, columns, rows, cell), rows),
    blocks: () => blocks(image, columns, rows, colors),
  }[protocol]();
  return { text, columns, rows };
}

/** The most whole cells that keep the picture's proportions as well as whole cells can. */
function fit(
  image: RgbImage,
  { columns: mostColumns, rows: mostRows = Infinity }: RenderOptions,
  cell: CellSize,
): { columns: number; rows: number } {
  if (!(mostColumns >= 1 && mostRows >= 1 && cell.width >= 1 && cell.height >= 1)) {
    throw new RangeError(
      `A picture cannot be drawn in ${mostColumns}×${mostRows} cells of ` +
        `${cell.width}×${cell.height} pixels; all four must be at least 1.`,
    );
  }
  /** Cells down for one cell across. */
  const slope = image.height / image.width * cell.width / cell.height;
  const whole = (cells: number, most: number) => Math.max(1, Math.min(Math.round(cells), most));
  const columns = Math.floor(Math.min(mostColumns, Math.max(1, mostRows / slope)));
  return { columns, rows: whole(columns * slope, Math.floor(mostRows)) };
}

/**
 * Terminals leave the cursor in different places after a picture. So the lines are printed first,
 * which scrolls the screen if needed, and the cursor's place is restored afterwards.
 */
function inPlace(picture: string, rows: number): string {
  const lines = "\r\n".repeat(rows);
  return `${lines}${moveUp(rows)}${SAVE_CURSOR}${picture}${RESTORE_CURSOR}${lines}`;
}
