/** A line that tells how far something is, drawn over and over in place. */
import { visible } from "../../src/shown.ts";
import { draw } from "./print.ts";
import { understandsEscapes } from "./understands_escapes.ts";

const BAR_CELLS = 24;
const REDRAW_MILLISECONDS = 100;

/** How far something is. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  /** Blocks, as many as are done of all. */
  readonly bar: string;
  /** How long the rest will take, as people read it. */
  readonly left: string;
}

/** A line on the terminal; silent where there is none. */
export class ProgressLine {
  readonly #from: number;
  readonly #clock: () => number;
  readonly #start: number;
  readonly #isVisible = understandsEscapes(Deno.stderr);
  #drawn = -Infinity;

  /**
   * @param from How much was done before, and says nothing about the speed.
   * @param clock Milliseconds since any moment, by a clock that nobody sets.
   */
  constructor(from = 0, clock: () => number = () => performance.now()) {
    this.#from = from;
    this.#clock = clock;
    this.#start = clock();
  }

  /** Draws the line anew, at most ten times a second. */
  draw(line: () => string): void {
    const now = this.#clock();
    if (!this.#isVisible || now - this.#drawn < REDRAW_MILLISECONDS) return;
    this.#drawn = now;
    draw(`\r\x1b[K${visible(line())}`);
  }

  /** The same with how much of how much is done, and when the rest will be. */
  show(done: number, total: number, line: (progress: Progress) => string): void {
    this.draw(() => line(this.progress(done, total)));
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#drawn > -Infinity) draw("\r\x1b[K");
    this.#drawn = -Infinity;
  }

  /** How far it is, without drawing it. */
  progress(done: number, total: number): Progress {
    const filled = Math.round(BAR_CELLS * done / total);
    const bar = "█".repeat(filled) + "░".repeat(BAR_CELLS - filled);
    const elapsed = this.#clock() - this.#start;
    const left = millisecondsLeft(elapsed, done - this.#from, total - done);
    return { done, total, bar, left: Number.isFinite(left) ? duration(left) : "–" };
  }
}

/**
 * How long the rest takes at the speed so far.
 *
 * @param elapsed Milliseconds that it took until now.
 * @param done What was done in them.
 * @param rest What is still to be done, in the same unit.
 */
export function millisecondsLeft(elapsed: number, done: number, rest: number): number {
  return elapsed * rest / done;
}

/** Milliseconds as people read them. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds.toFixed(0)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const minutes = `${two(seconds % 3600 / 60)}:${two(seconds % 60)}`;
  return seconds < 3600 ? `${minutes} min` : `${Math.floor(seconds / 3600)}:${minutes} h`;
}
