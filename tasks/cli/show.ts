/** Pictures in the terminal, drawn over one another. */
import {
  canBeAsked,
  detectColors,
  detectGraphics,
  moveUp,
  renderPicture,
  TERMINAL_QUESTIONS,
  type TerminalAnswers,
  terminalAnswers,
} from "../../src/terminal/mod.ts";
import type { RgbImage } from "../../src/image/mod.ts";
import { draw } from "./print.ts";

/** The most of the screen's height that a picture takes; the rest is for what was said. */
const SHARE_OF_ROWS = 0.7;
const MOST_ID = 2 ** 32 - 1;

/** How long a terminal may think; one at the other end of the world takes half of it. */
const PATIENCE_MILLISECONDS = 500;

let answers: TerminalAnswers | undefined;

/**
 * Asks the terminal what it can show. To be done before anything else reads the keyboard; one that
 * does not answer in time is judged by its name.
 */
export async function askTerminal(): Promise<void> {
  const isTerminal = Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
  if (!isTerminal || !canBeAsked((name) => Deno.env.get(name))) return;
  const bytes = new Uint8Array(256);
  const decoder = new TextDecoder();
  let said = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), PATIENCE_MILLISECONDS);
  });
  Deno.stdin.setRaw(true);
  try {
    draw(TERMINAL_QUESTIONS);
    while (answers === undefined) {
      const length = await Promise.race([Deno.stdin.read(bytes), tooLate]);
      if (length === null) break;
      said += decoder.decode(bytes.subarray(0, length), { stream: true });
      answers = terminalAnswers(said);
    }
  } finally {
    Deno.stdin.setRaw(false);
    clearTimeout(timer);
  }
}

/** A place in the terminal that shows one picture after another. */
export class TerminalPicture {
  readonly #protocol = detectGraphics(
    (name) => Deno.env.get(name),
    Deno.stderr.isTerminal(),
    answers,
  );
  readonly #colors = detectColors((name) => Deno.env.get(name));
  /** The number by which kitty recognises a picture that replaces another one. */
  readonly #id = 1 + crypto.getRandomValues(new Uint32Array(1))[0]! % MOST_ID;
  #rows = 0;

  /** Shows a picture where the former one was. */
  show(image: RgbImage): void {
    if (this.#protocol === "none") return;
    const screen = screenSize();
    if (screen === undefined) return;
    const { text, rows } = renderPicture(image, this.#protocol, {
      columns: screen.columns - 1,
      rows: Math.max(1, Math.floor(screen.rows * SHARE_OF_ROWS)),
      colors: this.#colors,
      cell: answers?.cell,
      id: this.#id,
    });
    draw(`\r\x1b[K${moveUp(this.#rows)}${text}`);
    this.#rows = rows;
  }
}

/** Undefined where the terminal was closed. */
function screenSize() {
  try {
    return Deno.consoleSize();
  } catch {
    return undefined;
  }
}
