import type { PromptPosition } from "./types.ts";

const LINE_END = /\r\n|[\n\r]/g;

/** Lines and columns of a text; lines end with LF, CR LF or CR. */
export class Positions {
  readonly #lineStarts: number[] = [0];
  /** How many surrogate pairs end before each offset; absent where there are none. */
  readonly #pairs: Uint32Array | undefined;

  constructor(text: string) {
    for (const { index, 0: end } of text.matchAll(LINE_END)) {
      this.#lineStarts.push(index + end.length);
    }
    if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return;
    this.#pairs = new Uint32Array(text.length + 1);
    for (let index = 0; index < text.length; index++) {
      const isPair = index > 0 && text.codePointAt(index - 1)! > 0xffff;
      this.#pairs[index + 1] = this.#pairs[index]! + (isPair ? 1 : 0);
    }
  }

  at(offset: number): PromptPosition {
    const line = this.#lineOf(offset);
    const start = this.#lineStarts[line - 1]!;
    const pairs = this.#pairs === undefined ? 0 : this.#pairs[offset]! - this.#pairs[start]!;
    return { line, column: offset - start - pairs + 1, offset };
  }

  /** Where a line begins, from 1. */
  lineStart(line: number): number {
    return this.#lineStarts[line - 1]!;
  }

  #lineOf(offset: number): number {
    let [low, high] = [0, this.#lineStarts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#lineStarts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }
}
