/** A line that tells how much has been read, overwritten in place. */
import { ProgressLine } from "./progress.ts";

const MEBIBYTE = 1 << 20;
const REDRAW_MILLISECONDS = 100;

/** Shows how many MiB of how many have been read; silent without a terminal. */
export class ReadingLine {
  readonly #line: ProgressLine;
  #drawn = -Infinity;

  /** @param words How to say how far it is. */
  constructor(words: (bar: string, mebibytes: string, rest: string) => string) {
    this.#line = new ProgressLine("", words);
  }

  /** Shows that so many bytes have been read. */
  readonly show = (bytes: number, total: number): void => {
    const now = performance.now();
    if (now - this.#drawn < REDRAW_MILLISECONDS) return;
    this.#drawn = now;
    this.#line.show(Math.ceil(bytes / MEBIBYTE), Math.ceil(total / MEBIBYTE));
  };

  /** Takes the line away. */
  clear(): void {
    this.#line.clear();
  }
}
