import { readChunks } from "./_png_chunk.ts";
import { textOf } from "./_png_text.ts";
import { ImageError } from "./types.ts";

/**
 * The texts of a PNG by keyword, without decoding the picture; the checksums show that the file is
 * whole.
 *
 * @throws {ImageError} When the bytes are no sound PNG.
 */
export function readPngText(bytes: Uint8Array): Readonly<Record<string, string>> {
  try {
    return textOf(readChunks(bytes));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ImageError({
      en: `These ${bytes.length} bytes are no sound PNG: ${reason}.`,
      zh: `这 ${bytes.length} 字节不是完好的 PNG：${reason}。`,
    }, { cause });
  }
}
