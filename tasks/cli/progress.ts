/** A line that tells how far a picture is, overwritten in place. */
import { duration } from "./task.ts";

const BAR_CELLS = 24;
const MEBIBYTE = 1 << 20;

/** Words for the line: a bar, the steps, the time left and the memory in use. */
type Words = (bar: string, steps: string, rest: string, memory: string) => string;

/** Shows the steps of a picture, the time left and the memory in use; silent without a terminal. */
export class ProgressLine {
  readonly #label: string;
  readonly #words: Words;
  readonly #start = performance.now();
  readonly #visible = Deno.stderr.isTerminal();

  /**
   * @param label What it is that goes on.
   * @param words How to say how far it is.
   */
  constructor(label: string, words: Words) {
    this.#label = label;
    this.#words = words;
  }

  /** Shows that so many steps are done. */
  show(done: number, total: number): void {
    const elapsed = performance.now() - this.#start;
    const rest = duration(elapsed / done * (total - done));
    const filled = Math.round(BAR_CELLS * done / total);
    const bar = "█".repeat(filled) + "░".repeat(BAR_CELLS - filled);
    const memory = `${Math.round(Deno.memoryUsage().rss / MEBIBYTE)} MiB`;
    const line = this.#words(bar, `${done}/${total}`, rest, memory);
    this.#write(`\r\x1b[K${this.#label}${line}`);
  }

  /** Takes the line away. */
  clear(): void {
    this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    if (this.#visible) Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}
