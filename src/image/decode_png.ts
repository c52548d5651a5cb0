import { inflateSync } from "node:zlib";
import { type Chunk, concat, readChunks } from "./_png_chunk.ts";
import { unfilterRows } from "./_png_rows.ts";
import { textOf } from "./_png_text.ts";
import { ImageError, type RgbImage } from "./types.ts";

/** What a PNG holds. */
export interface DecodedImage {
  readonly image: RgbImage;
  /** Texts by keyword, from tEXt, zTXt and iTXt alike. */
  readonly text: Readonly<Record<string, string>>;
}

const BYTE_DEPTH = 8;
const RGB_CHANNELS = 3;

/** Channels by PNG's number of the colour type: grey, RGB, palette, grey and RGB with alpha. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const PALETTE = 3;
const HEADER_BYTES = 13;

/**
 * Reads a PNG of 8 bits a channel, grey or colour, and PNGs with a palette. An alpha channel is left
 * out: colours are those of the file.
 *
 * @throws {ImageError} When the bytes are no sound PNG, have 16 bits or less than 8 a channel, or
 * are interlaced.
 */
export function decodePng(bytes: Uint8Array): DecodedImage {
  try {
    const chunks = readChunks(bytes);
    return { image: readImage(chunks), text: textOf(chunks) };
  } catch (error) {
    if (error instanceof ImageError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ImageError({
      en:
        `These ${bytes.length} bytes are no sound PNG: ${reason}. The file may have been cut short.`,
      zh: `这 ${bytes.length} 字节不是完好的 PNG：${reason}。文件可能不完整。`,
    }, { cause: error });
  }
}

function readImage(chunks: readonly Chunk[]): RgbImage {
  const { width, height, depth, colorType } = readHeader(chunks);
  const channels = CHANNELS[colorType]!;
  const rowBytes = Math.ceil(width * channels * depth / BYTE_DEPTH);
  const size = (1 + rowBytes) * height;
  const packed = chunks.filter(({ type }) => type === "IDAT").map(({ data }) => data);
  // One byte more is allowed, so that too many are told from enough.
  const rows = inflateSync(concat(packed), { maxOutputLength: size + 1 });
  if (rows.length !== size) {
    throw new RangeError(
      `${width}×${height} pixels are ${size} bytes of rows, but ${rows.length} were found`,
    );
  }
  const data = unfilterRows(rows, rowBytes, Math.max(1, channels * depth / BYTE_DEPTH));
  const rgb = colorType === PALETTE
    ? lookUp(indices(data, width, rowBytes, depth), chunks)
    : toRgb(data, channels);
  return { data: rgb, width, height };
}

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colorType: number;
}

function readHeader([first]: readonly Chunk[]): Header {
  if (first?.type !== "IHDR" || first.data.length !== HEADER_BYTES) {
    throw new RangeError("the header is missing");
  }
  const view = new DataView(first.data.buffer, first.data.byteOffset);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [depth = 0, colorType = -1, compression = 1, filter = 1, interlacing = 1] = first.data
    .subarray(8);
  if (width === 0 || height === 0 || !(colorType in CHANNELS) || compression + filter > 0) {
    throw new RangeError("the header says what no PNG may");
  }
  const depths = colorType === PALETTE ? [1, 2, 4, BYTE_DEPTH] : [BYTE_DEPTH];
  if (!depths.includes(depth)) {
    throw new ImageError(
      `The PNG has ${depth} bits a channel, but ${BYTE_DEPTH} are expected. Convert it.`,
      { zh: `这个 PNG 每通道 ${depth} 位，应为 ${BYTE_DEPTH} 位。请转换它。` },
    );
  }
  if (interlacing !== 0) {
    throw new ImageError("The PNG is interlaced, which is not read. Save it without interlacing.", {
      zh: "这个 PNG 是隔行的，无法读取。请保存为非隔行。",
    });
  }
  return { width, height, depth, colorType };
}

/** From grey, grey with alpha, RGB, or RGB with alpha. */
function toRgb(data: Uint8Array, channels: number): Uint8ClampedArray {
  const green = channels < RGB_CHANNELS ? 0 : 1;
  const blue = channels < RGB_CHANNELS ? 0 : 2;
  const rgb = new Uint8ClampedArray(data.length / channels * RGB_CHANNELS);
  for (let from = 0, to = 0; from < data.length; from += channels, to += RGB_CHANNELS) {
    rgb[to] = data[from]!;
    rgb[to + 1] = data[from + green]!;
    rgb[to + 2] = data[from + blue]!;
  }
  return rgb;
}

/** One index a pixel, from rows in which the first pixel has the highest bits of a byte. */
function indices(data: Uint8Array, width: number, rowBytes: number, depth: number): Uint8Array {
  if (depth === BYTE_DEPTH) return data;
  const perByte = BYTE_DEPTH / depth;
  const height = data.length / rowBytes;
  const unpacked = new Uint8Array(width * height);
  for (let pixel = 0; pixel < unpacked.length; pixel++) {
    const x = pixel % width;
    const byte = data[Math.floor(pixel / width) * rowBytes + Math.floor(x / perByte)]!;
    const shift = BYTE_DEPTH - depth * (x % perByte + 1);
    unpacked[pixel] = (byte >> shift) & ((1 << depth) - 1);
  }
  return unpacked;
}

function lookUp(indices: Uint8Array, chunks: readonly Chunk[]): Uint8ClampedArray {
  const palette = chunks.find(({ type }) => type === "PLTE")?.data;
  if (palette === undefined) throw new RangeError("the palette is missing");
  const rgb = new Uint8ClampedArray(RGB_CHANNELS * indices.length);
  indices.forEach((index, pixel) => {
    const color = palette.subarray(RGB_CHANNELS * index, RGB_CHANNELS * (index + 1));
    if (color.length !== RGB_CHANNELS) throw new RangeError(`the palette has no color ${index}`);
    rgb.set(color, RGB_CHANNELS * pixel);
  });
  return rgb;
}
