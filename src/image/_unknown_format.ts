import { startsWith } from "./_bytes.ts";
import { ImageError } from "./types.ts";

/**
 * Formats that people try and that are not read, by their first bytes. A list, where the bytes may be
 * any of several.
 */
const OTHERS: readonly (readonly [name: string, starts: readonly string[], at?: number])[] = [
  ["GIF", ["GIF8"]],
  ["BMP", ["BM"]],
  ["TIFF", ["II*\0", "MM\0*", "II+\0", "MM\0+"]],
  ["HEIC", ["ftypheic", "ftypheix", "ftyphevc", "ftypmif1", "ftypmsf1", "ftypheim"], 4],
  ["JPEG XL", ["\xff\x0a", "\0\0\0\x0cJXL "]],
  ["JPEG 2000", ["\0\0\0\x0cjP  ", "\xff\x4f\xff\x51"]],
  ["SVG", ["<svg", "<?xml"]],
  ["PSD", ["8BPS"]],
  ["PDF", ["%PDF"]],
  ["ICO", ["\0\0\x01\0"]],
  ["OpenEXR", ["\x76\x2f\x31\x01"]],
];

/** The error for bytes that are no picture of a known format; of others that are known it names which. */
export function unknownFormat(bytes: Uint8Array): ImageError {
  if (bytes.length === 0) {
    return new ImageError("The file is empty. Give a PNG, JPEG, WebP or AVIF.", {
      zh: "文件是空的。请使用 PNG、JPEG、WebP 或 AVIF 图片。",
    });
  }
  const other = OTHERS.find(([, starts, at]) => starts.some((text) => startsWith(bytes, text, at)));
  if (other !== undefined) {
    return new ImageError(
      `This is ${other[0]}, which is not read. Save it as PNG, JPEG, WebP or AVIF.`,
      {
        zh: `这是 ${other[0]}，无法读取。请另存为 PNG、JPEG、WebP 或 AVIF。`,
      },
    );
  }
  return new ImageError(
    `These ${bytes.length} bytes are no PNG, JPEG, WebP or AVIF. Give a picture of one of these ` +
      "formats.",
    {
      zh: `这 ${bytes.length} 字节不是 PNG、JPEG、WebP 或 AVIF。请使用这些格式的图片。`,
    },
  );
}
