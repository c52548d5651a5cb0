import { convertIndexedToRgb, decode, type DecodedPng } from "fast-png";
import { readText } from "./_png_text.ts";
import { ImageError, type RgbImage } from "./types.ts";

/** What a PNG holds. */
export interface DecodedImage {
  readonly image: RgbImage;
  /** Texts by keyword, from tEXt, zTXt and iTXt alike. */
  readonly text: Readonly<Record<string, string>>;
}

const BYTE_DEPTH = 8;

/**
 * Reads a PNG of 8 bits a channel, grey or colour, and PNGs with a palette. An alpha channel is left
 * out: colours are those of the file.
 *
 * @throws {ImageError} When the bytes are no sound PNG, or have 16 bits or less than 8 a channel.
 */
export function decodePng(bytes: Uint8Array): DecodedImage {
  try {
    const decoded = decode(bytes, { checkCrc: true });
    const { width, height } = decoded;
    const { data, channels } = unpack(decoded);
    if (data.length !== width * height * channels) {
      throw new RangeError(`${width}×${height} pixels are promised, and other data found`);
    }
    return { image: { data: toRgb(data, channels), width, height }, text: readText(bytes) };
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError(
      `These ${bytes.length} bytes are no sound PNG: ` +
        `${error instanceof Error ? error.message : error}. The file may have been cut short.`,
      { cause: error },
    );
  }
}

interface Bytes {
  readonly data: ArrayLike<number>;
  readonly channels: number;
}

function unpack(decoded: DecodedPng): Bytes {
  // A PNG in full colour may suggest a palette too; it is no index then.
  if (decoded.palette !== undefined && decoded.channels === 1) {
    return { data: convertIndexedToRgb(decoded), channels: decoded.palette[0]?.length ?? 0 };
  }
  if (decoded.depth !== BYTE_DEPTH) {
    throw new ImageError(
      `The PNG has ${decoded.depth} bits a channel, but ${BYTE_DEPTH} are expected. Convert it.`,
    );
  }
  return { data: decoded.data, channels: decoded.channels };
}

/** From grey, grey with alpha, RGB, or RGB with alpha. */
function toRgb(data: ArrayLike<number>, channels: number): Uint8ClampedArray {
  const green = channels < 3 ? 0 : 1;
  const blue = channels < 3 ? 0 : 2;
  const pixels = data.length / channels;
  const rgb = new Uint8ClampedArray(3 * pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const from = pixel * channels;
    rgb[3 * pixel] = data[from]!;
    rgb[3 * pixel + 1] = data[from + green]!;
    rgb[3 * pixel + 2] = data[from + blue]!;
  }
  return rgb;
}
