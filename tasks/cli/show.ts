/** Pictures in the terminal, drawn over one another. */
import { detectColors, detectGraphics, moveUp, renderPicture } from "../../src/terminal/mod.ts";
import type { RgbImage } from "../../src/mod.ts";

/** The most of the screen's height that a picture takes; the rest is for what was said. */
const SHARE_OF_ROWS = 0.7;
const MOST_ID = 2 ** 32 - 1;

/** A place in the terminal that shows one picture after another. */
export class TerminalPicture {
  readonly #protocol = detectGraphics((name) => Deno.env.get(name), Deno.stderr.isTerminal());
  readonly #colors = detectColors((name) => Deno.env.get(name));
  /** The number by which kitty recognises a picture that replaces another one. */
  readonly #id = 1 + crypto.getRandomValues(new Uint32Array(1))[0]! % MOST_ID;
  #rows = 0;

  /** Shows a picture where the former one was. */
  show(image: RgbImage): void {
    if (this.#protocol === "none") return;
    const screen = Deno.consoleSize();
    const { text, rows } = renderPicture(image, this.#protocol, {
      columns: screen.columns - 1,
      rows: Math.max(1, Math.floor(screen.rows * SHARE_OF_ROWS)),
      colors: this.#colors,
      id: this.#id,
    });
    Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${moveUp(this.#rows)}${text}`));
    this.#rows = rows;
  }
}
