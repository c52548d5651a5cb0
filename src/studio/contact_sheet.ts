/**
 * Many pictures in one, with what each of them is written beside it.
 *
 * @module
 */
import {
  drawableText,
  drawText,
  lineHeight,
  type RgbImage,
  shrink,
  textWidth,
} from "../image/mod.ts";
import type { Grid } from "./grid.ts";

/** The most pixels of a sheet: 4096 × 4096. Pictures become smaller where there are more. */
const MOST_PIXELS = 2 ** 24;
/** Neither side is longer: not every viewer opens longer ones. */
const LONGEST_SIDE = 2 ** 14;
const LEAST_CELL = 16;
/** Between pictures, and around the labels, in pixels. */
const GAP = 4;
/** A picture of so many pixels has letters whose dots are one pixel more. */
const PIXELS_A_SCALE = 128;
const MOST_SCALE = 6;
const MOST_LABEL_LINES = 4;
const WHITE = 255;

/** What is written on a sheet, and where its pictures stand. */
export interface SheetLayout {
  /** Above the columns; none where each picture has its own label. */
  readonly columns: readonly string[];
  /** Beside the rows. */
  readonly rows: readonly string[];
  /** Above each sheet of columns and rows, one below the other. */
  readonly blocks: readonly string[];
  /** Below each picture, in the order of the pictures. */
  readonly captions: readonly string[];
  /** How many pictures there are in a row, in a column of one block, and blocks. */
  readonly counts: readonly [columns: number, rows: number, blocks: number];
  /** Labels that stand for others, which hold characters that there are no letters for. */
  readonly replaced: Readonly<Record<string, string>>;
}

/**
 * How a grid stands on a sheet: the first axis from left to right, the second from top to bottom, the
 * third as sheets one below the other. One axis alone is broken into rows of about the same number as
 * there are of them, and each picture has its label.
 */
export function sheetLayout({ axes }: Grid): SheetLayout {
  const replaced: Record<string, string> = {};
  const [columns = [], rows = [], blocks = []] = axes.map(({ word, values }) => {
    const texts = withoutShared(values.map(({ text }) => text));
    return values.map(({ text }, index) => {
      // A part of a prompt says itself what it is.
      const label = drawableText(word === "prompt" ? texts[index]! : `${word} ${texts[index]}`);
      if (label !== undefined) return label;
      const number = `${word} #${index + 1}`;
      replaced[number] = text;
      return number;
    });
  });
  const none = { columns: [], rows: [], blocks: [], captions: [], replaced };
  if (axes.length > 1) {
    const counts = [columns.length, rows.length, Math.max(1, blocks.length)] as const;
    return { ...none, columns, rows, blocks, counts };
  }
  const across = Math.ceil(Math.sqrt(columns.length));
  return { ...none, captions: columns, counts: [across, Math.ceil(columns.length / across), 1] };
}

/** Long texts without what all of them begin and end with: prompts that differ in a word. */
function withoutShared(texts: readonly string[]): readonly string[] {
  const longest = Math.max(...texts.map((text) => text.length));
  if (texts.length < 2 || longest <= LONGEST_WHOLE) return texts;
  const lists = texts.map((text) => text.split(/(?<=[,\n])/));
  const shortest = () => Math.min(...lists.map((list) => list.length));
  const isShared = (at: number) => lists.every((list) => list.at(at) === lists[0]!.at(at));
  while (shortest() > 1 && isShared(0)) lists.forEach((list) => list.shift());
  while (shortest() > 1 && isShared(-1)) lists.forEach((list) => list.pop());
  return lists.map((list) => list.join("").replace(/,\s*$/, "").trim());
}

/** Texts of so many characters stand on a sheet as they are. */
const LONGEST_WHOLE = 24;

/** A sheet that is filled picture by picture, so that it alone is held in memory. */
export class ContactSheet {
  readonly image: RgbImage;
  /** How large the pictures are on the sheet: 1 for their own size. */
  readonly scale: number;
  readonly #layout: SheetLayout;
  readonly #cell: { readonly width: number; readonly height: number };
  readonly #letter: number;
  /** Where the pictures of the first row and column begin, and how tall a block's head is. */
  readonly #left: number;
  readonly #head: number;
  readonly #blockHead: number;
  readonly #captionHeight: number;

  /** @param largest The largest picture that will stand on it, in pixels. */
  constructor(
    layout: SheetLayout,
    largest: { readonly width: number; readonly height: number },
  ) {
    const [columns, rows, blocks] = layout.counts;
    this.#layout = layout;
    this.scale = Math.min(
      1,
      Math.sqrt(MOST_PIXELS / (columns * rows * blocks * largest.width * largest.height)),
      LONGEST_SIDE / (columns * largest.width),
      LONGEST_SIDE / (rows * blocks * largest.height),
    );
    const scaled = (side: number) => Math.max(LEAST_CELL, Math.floor(side * this.scale));
    const { width, height } = this.#cell = {
      width: scaled(largest.width),
      height: scaled(largest.height),
    };
    const small = Math.min(width, height);
    this.#letter = Math.min(MOST_SCALE, Math.max(1, Math.floor(small / PIXELS_A_SCALE)));
    const tallest = (labels: readonly string[]) =>
      Math.max(0, ...labels.map((label) => this.#lines(label).length)) * lineHeight(this.#letter);
    const widest = Math.max(
      0,
      ...layout.rows.flatMap((label) => this.#lines(label)).map((line) =>
        textWidth(line, this.#letter)
      ),
    );
    this.#left = widest === 0 ? GAP : widest + 2 * GAP;
    this.#blockHead = layout.blocks.length === 0 ? 0 : lineHeight(this.#letter) + 2 * GAP;
    this.#head = tallest(layout.columns) + GAP;
    this.#captionHeight = tallest(layout.captions);
    const sheet = {
      width: this.#left + columns * (width + GAP),
      height: blocks * this.#blockHeight,
    };
    this.image = {
      data: new Uint8ClampedArray(3 * sheet.width * sheet.height).fill(WHITE),
      ...sheet,
    };
    this.#drawLabels();
  }

  /** Puts a picture into its place, made smaller where it does not fit; the rest stays white. */
  add(index: number, image: RgbImage): void {
    const [columns, rows] = this.#layout.counts;
    const column = index % columns;
    const row = Math.floor(index / columns) % rows;
    const block = Math.floor(index / (columns * rows));
    const { width, height } = this.#cell;
    const factor = Math.min(this.scale, width / image.width, height / image.height);
    const side = (length: number) => Math.max(1, Math.floor(length * factor));
    const small = factor < 1 ? shrink(image, side(image.width), side(image.height)) : image;
    const left = this.#columnLeft(column) + Math.floor((width - small.width) / 2);
    const top = this.#rowTop(block, row) + Math.floor((height - small.height) / 2);
    for (let y = 0; y < small.height; y++) {
      const line = small.data.subarray(3 * y * small.width, 3 * (y + 1) * small.width);
      this.image.data.set(line, 3 * ((top + y) * this.image.width + left));
    }
  }

  get #blockHeight(): number {
    const [, rows] = this.#layout.counts;
    return this.#blockHead + this.#head +
      rows * (this.#cell.height + this.#captionHeight + GAP);
  }

  #columnLeft(column: number): number {
    return this.#left + column * (this.#cell.width + GAP);
  }

  #rowTop(block: number, row: number): number {
    return block * this.#blockHeight + this.#blockHead + this.#head +
      row * (this.#cell.height + this.#captionHeight + GAP);
  }

  #drawLabels(): void {
    const { columns, rows, blocks, captions, counts: [across] } = this.#layout;
    const { width, height } = this.#cell;
    const letter = this.#letter;
    const line = lineHeight(letter);
    for (let block = 0; block < Math.max(1, blocks.length); block++) {
      const top = this.#rowTop(block, 0) - this.#head;
      const head = blocks[block];
      if (head !== undefined) this.#write(head, GAP, top - line - GAP, this.image.width);
      for (const [column, label] of columns.entries()) {
        this.#centred(label, this.#columnLeft(column), top + letter, width);
      }
      for (const [row, label] of rows.entries()) {
        const lines = this.#lines(label);
        const above = Math.floor((height - lines.length * line) / 2);
        for (const [index, text] of lines.entries()) {
          this.#write(text, GAP, this.#rowTop(block, row) + above + index * line, this.#left);
        }
      }
    }
    for (const [index, label] of captions.entries()) {
      const top = this.#rowTop(0, Math.floor(index / across)) + height + letter;
      this.#centred(label, this.#columnLeft(index % across), top, width);
    }
  }

  #centred(label: string, left: number, top: number, width: number): void {
    for (const [index, text] of this.#lines(label).entries()) {
      const indent = Math.max(0, Math.floor((width - textWidth(text, this.#letter)) / 2));
      this.#write(text, left + indent, top + index * lineHeight(this.#letter), width);
    }
  }

  #write(text: string, left: number, top: number, width: number): void {
    drawText(this.image, cut(text, this.#fitting(width)), { left, top, scale: this.#letter });
  }

  /** A label in lines that are no wider than a picture. */
  #lines(label: string): readonly string[] {
    const most = this.#fitting(this.#cell.width);
    const lines: string[] = [];
    for (const word of label.split(/(?<=[ ,_])/)) {
      const last = lines.at(-1);
      if (last !== undefined && (last + word).trimEnd().length <= most) {
        lines[lines.length - 1] = last + word;
      } else {
        for (let at = 0; at < word.length; at += most) lines.push(word.slice(at, at + most));
      }
    }
    const shown = lines.map((line) => line.trimEnd()).slice(0, MOST_LABEL_LINES);
    return lines.length === shown.length
      ? shown
      : [...shown.slice(0, -1), cut(`${shown.at(-1)}${" ".repeat(most)}`, most)];
  }

  /** How many letters fit. */
  #fitting(width: number): number {
    return Math.max(1, Math.floor((width / this.#letter + 1) / (textWidth("ab") - textWidth("a"))));
  }
}

/** What is too long ends with dots. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  return most <= 3 ? text.slice(0, most) : `${text.slice(0, most - 3).trimEnd()}...`;
}
