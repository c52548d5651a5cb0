/**
 * PNG's pixels, of every colour type, depth and order of rows.
 *
 * Forms: https://www.w3.org/TR/png-3/#4Concepts.FormatTypes; Adam7's passes: section 8.1 there.
 *
 * @module
 */
import { inflateSync } from "node:zlib";
import { concat, viewOf } from "./_bytes.ts";
import { Fault } from "./_fault.ts";
import { checkPixels } from "./_pixel_bound.ts";
import type { Chunk } from "./_png_chunk.ts";
import { unfilterRows } from "./_png_rows.ts";
import type { RgbImage } from "./types.ts";

const MAX_BYTE = 255;
const BYTE_BITS = 8;
const RGB_CHANNELS = 3;
const HEADER_BYTES = 13;
const PALETTE = 3;

/** Channels by PNG's number of the colour type: grey, RGB, palette, grey and RGB with alpha. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** The depths that each of them may have. */
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

/** Which pixels of the picture a pass has: those from `x`, `y` on, `across` and `down` apart. */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly across: number;
  readonly down: number;
}

const WHOLE: readonly Pass[] = [{ x: 0, y: 0, across: 1, down: 1 }];
const ADAM7: readonly Pass[] = [
  { x: 0, y: 0, across: 8, down: 8 },
  { x: 4, y: 0, across: 8, down: 8 },
  { x: 0, y: 4, across: 4, down: 8 },
  { x: 2, y: 0, across: 4, down: 4 },
  { x: 0, y: 2, across: 2, down: 4 },
  { x: 1, y: 0, across: 2, down: 2 },
  { x: 0, y: 1, across: 1, down: 2 },
];

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colorType: number;
  readonly passes: readonly Pass[];
}

/** @throws {Fault} When there is no header, or it says what none may. */
function readHeader(first: Chunk | undefined): Header {
  if (first?.type !== "IHDR" || first.data.length !== HEADER_BYTES) {
    throw new Fault("the header is missing", "缺少文件头");
  }
  const view = viewOf(first.data);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [depth = 0, colorType = -1, compression = 1, filter = 1, interlacing = 2] = first.data
    .subarray(8);
  const isKnown = DEPTHS[colorType]?.includes(depth) && compression + filter === 0 &&
    interlacing <= 1;
  if (width === 0 || height === 0 || !isKnown) {
    throw new Fault("the header says what no PNG may", "文件头的内容不符合 PNG 的规定");
  }
  return { width, height, depth, colorType, passes: interlacing === 1 ? ADAM7 : WHOLE };
}

/**
 * @throws {Fault} When the chunks hold no whole picture.
 * @throws {ImageError} When there are too many pixels.
 */
export function pixelsOf(
  chunks: readonly Chunk[],
): { readonly image: RgbImage; readonly alpha?: Uint8ClampedArray } {
  const header = readHeader(chunks[0]);
  const { width, height, depth, colorType } = header;
  checkPixels(width, height);
  const channels = CHANNELS[colorType]!;
  const passes = header.passes.map((pass) => {
    const columns = Math.ceil((width - pass.x) / pass.across);
    const rows = Math.ceil((height - pass.y) / pass.down);
    const isEmpty = columns <= 0 || rows <= 0;
    const rowBytes = isEmpty ? 0 : Math.ceil(columns * channels * depth / BYTE_BITS);
    return { ...pass, columns, rows: isEmpty ? 0 : rows, rowBytes };
  });
  const size = passes.reduce((total, { rows, rowBytes }) => total + rows * (1 + rowBytes), 0);
  const packed = chunks.filter(({ type }) => type === "IDAT").map(({ data }) => data);
  const unpacked = inflateRows(concat(packed), size, width, height);
  const canvas = new Canvas(header, chunks);
  const pixelBytes = Math.max(1, channels * depth / BYTE_BITS);
  let from = 0;
  for (const { rows, rowBytes, columns, x, y, across, down } of passes) {
    if (rows === 0) continue;
    const bytes = rows * (1 + rowBytes);
    const data = unfilterRows(unpacked.subarray(from, from + bytes), rowBytes, pixelBytes);
    from += bytes;
    for (let row = 0; row < rows; row++) {
      const line = data.subarray(row * rowBytes, (row + 1) * rowBytes);
      canvas.draw(line, columns, width * (y + row * down) + x, across);
    }
  }
  return canvas.result();
}

function inflateRows(packed: Uint8Array, size: number, width: number, height: number): Uint8Array {
  let found: number | undefined;
  try {
    // One byte more is allowed, so that too many are told from enough.
    const rows = inflateSync(packed, { maxOutputLength: size + 1 });
    if (rows.length === size) return rows;
    found = rows.length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_BUFFER_TOO_LARGE") throw error;
  }
  throw new Fault(
    `${width}×${height} pixels are ${size} bytes of rows, but ${found ?? "many more"} were found`,
    `${width}×${height} 像素应有 ${size} 字节的行数据，却有${
      found === undefined ? "更多" : ` ${found} 字节`
    }`,
  );
}

/** Turns samples of any kind into bytes of red, green, blue and alpha. */
class Canvas {
  readonly #width: number;
  readonly #height: number;
  readonly #depth: number;
  readonly #colorType: number;
  readonly #rgb: Uint8ClampedArray;
  readonly #alpha: Uint8ClampedArray | undefined;
  readonly #palette: Uint8Array;
  /** Alphas of the palette, or the samples of the one transparent colour. */
  readonly #transparency: Uint8Array;

  constructor({ width, height, depth, colorType }: Header, chunks: readonly Chunk[]) {
    const find = (type: string) => chunks.find((chunk) => chunk.type === type && chunk.isSound);
    this.#width = width;
    this.#height = height;
    this.#depth = depth;
    this.#colorType = colorType;
    this.#rgb = new Uint8ClampedArray(RGB_CHANNELS * width * height);
    const hasChannel = colorType === 4 || colorType === 6;
    const transparency = hasChannel ? new Uint8Array() : find("tRNS")?.data ?? new Uint8Array();
    const needed = colorType === PALETTE ? 1 : 2 * CHANNELS[colorType]!;
    this.#transparency = transparency.length < needed ? new Uint8Array() : transparency;
    const hasAlpha = hasChannel || this.#transparency.length > 0;
    this.#alpha = hasAlpha ? new Uint8ClampedArray(width * height).fill(MAX_BYTE) : undefined;
    const palette = find("PLTE")?.data;
    if (colorType === PALETTE && palette === undefined) {
      throw new Fault("the palette is missing", "缺少调色板");
    }
    this.#palette = palette ?? new Uint8Array();
  }

  /** Draws a row of samples: `count` pixels from `start` on, `step` apart. */
  draw(line: Uint8Array, count: number, start: number, step: number): void {
    const channels = CHANNELS[this.#colorType]!;
    const samples = samplesOf(line, count * channels, this.#depth);
    if (this.#colorType === PALETTE) this.#drawIndices(samples, start, step);
    else this.#drawSamples(samples, channels, start, step);
  }

  result(): { readonly image: RgbImage; readonly alpha?: Uint8ClampedArray } {
    const image = { data: this.#rgb, width: this.#width, height: this.#height };
    return this.#alpha === undefined ? { image } : { image, alpha: this.#alpha };
  }

  #drawIndices(indices: ArrayLike<number>, start: number, step: number): void {
    for (let index = 0, pixel = start; index < indices.length; index++, pixel += step) {
      const entry = indices[index]!;
      const at = RGB_CHANNELS * entry;
      if (at + RGB_CHANNELS > this.#palette.length) {
        throw new Fault(`the palette has no color ${entry}`, `调色板里没有颜色 ${entry}`);
      }
      for (let channel = 0; channel < RGB_CHANNELS; channel++) {
        this.#rgb[RGB_CHANNELS * pixel + channel] = this.#palette[at + channel]!;
      }
      if (this.#alpha !== undefined) this.#alpha[pixel] = this.#transparency[entry] ?? MAX_BYTE;
    }
  }

  #drawSamples(
    samples: ArrayLike<number>,
    channels: number,
    start: number,
    step: number,
  ): void {
    const isGrey = channels < RGB_CHANNELS;
    const most = 2 ** this.#depth - 1;
    const toByte = (sample: number) =>
      most === MAX_BYTE ? sample : Math.round(sample * MAX_BYTE / most);
    const clear = this.#clearSamples(isGrey ? 1 : RGB_CHANNELS);
    for (let from = 0, pixel = start; from < samples.length; from += channels, pixel += step) {
      for (let channel = 0; channel < RGB_CHANNELS; channel++) {
        const sample = samples[from + (isGrey ? 0 : channel)]!;
        this.#rgb[RGB_CHANNELS * pixel + channel] = toByte(sample);
      }
      if (this.#alpha === undefined) continue;
      if (clear === undefined) this.#alpha[pixel] = toByte(samples[from + channels - 1]!);
      else if (clear.every((sample, channel) => sample === samples[from + channel])) {
        this.#alpha[pixel] = 0;
      }
    }
  }

  /** The colour that is transparent, where one is. */
  #clearSamples(channels: number): number[] | undefined {
    if (this.#transparency.length === 0) return undefined;
    const view = viewOf(this.#transparency);
    return Array.from({ length: channels }, (_, channel) => view.getUint16(2 * channel));
  }
}

/** The samples of a row, in which the first pixel has the highest bits of a byte. */
function samplesOf(line: Uint8Array, count: number, depth: number): Uint8Array | Uint16Array {
  if (depth === BYTE_BITS) return line;
  if (depth > BYTE_BITS) {
    return Uint16Array.from({ length: count }, (_, i) => line[2 * i]! << 8 | line[2 * i + 1]!);
  }
  const perByte = BYTE_BITS / depth;
  const mask = 2 ** depth - 1;
  return Uint8Array.from({ length: count }, (_, index) => {
    const shift = BYTE_BITS - depth * (index % perByte + 1);
    return line[Math.floor(index / perByte)]! >> shift & mask;
  });
}
