import type { CellSize } from "./types.ts";

/**
 * Asks for the size of a character cell in pixels (xterm's window operation 16), and then for the
 * primary device attributes (DA1), which every terminal answers: what comes before that answer is all
 * that the terminal will say.
 */
export const TERMINAL_QUESTIONS = "\x1b[16t\x1b[c";

/** What a terminal said of itself. */
export interface TerminalAnswers {
  /** Whether it draws sixel: attribute 4 of DA1. */
  readonly sixel: boolean;
  /** Absent where it did not say. */
  readonly cell?: CellSize;
}

/** No cell of a screen is larger; a larger number is no answer to believe. */
const LARGEST_CELL = 500;

/**
 * Reads the answers to {@linkcode TERMINAL_QUESTIONS}; undefined while that to DA1 has not come.
 *
 * The forms are those of "XTerm Control Sequences" and of DEC's VT220 Programmer Reference Manual.
 *
 * @param text All that the terminal has sent so far, keys that were pressed meanwhile among it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(terminalAnswers("\x1b[6;18;9t\x1b[?62;4;22c"), {
 *   sixel: true,
 *   cell: { width: 9, height: 18 },
 * });
 * assert.equal(terminalAnswers("\x1b[6;18;9t"), undefined);
 * ```
 */
export function terminalAnswers(text: string): TerminalAnswers | undefined {
  // deno-lint-ignore no-control-regex
  const attributes = /\x1b\[\?(\d[\d;]{0,99})c/.exec(text)?.[1];
  if (attributes === undefined) return undefined;
  const [, ...extensions] = attributes.split(";");
  // deno-lint-ignore no-control-regex
  const size = /\x1b\[6;(\d{1,4});(\d{1,4})t/.exec(text);
  const [height, width] = [Number(size?.[1] ?? 0), Number(size?.[2] ?? 0)];
  const isSize = [width, height].every((pixels) => pixels >= 1 && pixels <= LARGEST_CELL);
  return { sixel: extensions.includes("4"), ...(isSize ? { cell: { width, height } } : {}) };
}
