import { ImageError } from "./types.ts";

/** The error for bytes that are no picture of a known format. */
export function unknownFormat(bytes: Uint8Array): ImageError {
  return new ImageError(
    `These ${bytes.length} bytes are no PNG, JPEG, WebP or AVIF. Give a picture of one of these ` +
      "formats.",
    {
      zh: `这 ${bytes.length} 字节不是 PNG、JPEG、WebP 或 AVIF。请使用这些格式的图片。`,
    },
  );
}
