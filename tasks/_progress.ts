/** A line that tells how far a picture is, overwritten in place. */
import { duration } from "./_task.ts";

const BAR_CELLS = 24;
const MEBIBYTE = 1 << 20;

/** Shows the steps of a picture, the time left and the memory in use; silent without a terminal. */
export class ProgressLine {
  readonly #label: string;
  readonly #left: string;
  readonly #start = performance.now();
  readonly #visible = Deno.stderr.isTerminal();

  /**
   * @param label What it is that goes on.
   * @param left The word for time that is left.
   */
  constructor(label: string, left: string) {
    this.#label = label;
    this.#left = left;
  }

  /** Shows that so many steps are done. */
  show(done: number, total: number): void {
    const elapsed = performance.now() - this.#start;
    const rest = duration(elapsed / done * (total - done));
    const filled = Math.round(BAR_CELLS * done / total);
    const bar = "█".repeat(filled) + "░".repeat(BAR_CELLS - filled);
    const memory = Math.round(Deno.memoryUsage().rss / MEBIBYTE);
    this.#write(
      `\r\x1b[K${this.#label}${bar} ${done}/${total}, ${this.#left} ${rest}, ${memory} MiB`,
    );
  }

  /** Takes the line away. */
  clear(): void {
    this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    if (this.#visible) Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}
