/** How much of a picture is seen on the board, and where. */
import type { Size } from "./mask_steps.ts";

interface Place {
  readonly x: number;
  readonly y: number;
}

/** Of the size in which all is seen. */
const MOST_ZOOM = 16;
const LEAST_ZOOM = 0.5;
/** Pixels around a picture of which all is seen. */
const MARGIN = 12;

/** Moves and scales the sheet on the board. */
export class MaskView {
  readonly #board: HTMLElement;
  readonly #sheet: HTMLElement;
  readonly #ring: HTMLElement;
  readonly #size: Size;
  readonly #observer: ResizeObserver;
  #scale = 1;
  #left = 0;
  #top = 0;
  #isFitted = true;

  constructor({ board, sheet, ring, size }: {
    readonly board: HTMLElement;
    readonly sheet: HTMLElement;
    readonly ring: HTMLElement;
    readonly size: Size;
  }) {
    this.#board = board;
    this.#sheet = sheet;
    this.#ring = ring;
    this.#size = size;
    this.#observer = new ResizeObserver(() => this.#isFitted ? this.fit() : this.#apply());
    this.#observer.observe(board);
    this.fit();
  }

  close(): void {
    this.#observer.disconnect();
  }

  /** Shows all of the picture. */
  fit(): void {
    const { clientWidth, clientHeight } = this.#board;
    this.#scale = this.#whole;
    this.#left = (clientWidth - this.#size.width * this.#scale) / 2;
    this.#top = (clientHeight - this.#size.height * this.#scale) / 2;
    this.#isFitted = true;
    this.#apply();
  }

  /** Scales around a place of the window; around the middle where none is named. */
  zoom(factor: number, around?: Place): void {
    const { left, top, width, height } = this.#board.getBoundingClientRect();
    const [x, y] = around === undefined
      ? [width / 2, height / 2]
      : [around.x - left, around.y - top];
    const whole = this.#whole;
    const scale = Math.min(whole * MOST_ZOOM, Math.max(whole * LEAST_ZOOM, this.#scale * factor));
    const change = scale / this.#scale;
    this.#left = x - (x - this.#left) * change;
    this.#top = y - (y - this.#top) * change;
    this.#scale = scale;
    this.#isFitted = false;
    this.#apply();
  }

  move(across: number, down: number): void {
    this.#left += across;
    this.#top += down;
    this.#isFitted = false;
    this.#apply();
  }

  /** Two fingers that were somewhere, and are somewhere else. */
  pinch(before: readonly Place[], after: readonly Place[]): void {
    const [from, to] = [before, after].map(([one, other]) => ({
      x: (one!.x + other!.x) / 2,
      y: (one!.y + other!.y) / 2,
      length: Math.max(1, Math.hypot(one!.x - other!.x, one!.y - other!.y)),
    }));
    this.move(to!.x - from!.x, to!.y - from!.y);
    this.zoom(to!.length / from!.length, to!);
  }

  /** Where in the picture, in its pixels, something is in the window. */
  placeOf({ clientX, clientY }: { readonly clientX: number; readonly clientY: number }): Place {
    const { left, top, width, height } = this.#sheet.getBoundingClientRect();
    return {
      x: (clientX - left) / width * this.#size.width,
      y: (clientY - top) / height * this.#size.height,
    };
  }

  middle(): Place {
    return { x: this.#size.width / 2, y: this.#size.height / 2 };
  }

  longSide(): number {
    return Math.max(this.#size.width, this.#size.height);
  }

  within({ x, y }: Place): Place {
    const { width, height } = this.#size;
    return { x: Math.min(width, Math.max(0, x)), y: Math.min(height, Math.max(0, y)) };
  }

  /** Shows how wide the brush is, and where. */
  showRing({ x, y }: Place): void {
    this.#ring.hidden = false;
    this.#ring.style.left = `${x}px`;
    this.#ring.style.top = `${y}px`;
  }

  hideRing(): void {
    this.#ring.hidden = true;
  }

  /** The scale in which all is seen; small pictures are enlarged. */
  get #whole(): number {
    const { clientWidth, clientHeight } = this.#board;
    const [width, height] = [clientWidth - 2 * MARGIN, clientHeight - 2 * MARGIN];
    return Math.max(0.01, Math.min(width / this.#size.width, height / this.#size.height));
  }

  #apply(): void {
    this.#sheet.style.transform =
      `translate(${this.#left}px, ${this.#top}px) scale(${this.#scale})`;
    // Lines of the ring are as thin on a large picture as on a small one.
    this.#sheet.style.setProperty("--thin", `${1 / this.#scale}px`);
  }
}
