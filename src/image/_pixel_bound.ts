import { ImageError, MAX_PIXELS } from "./types.ts";

/**
 * Refuses a picture by what its header says, before anything is unpacked.
 *
 * @throws {ImageError} When it has more than {@linkcode MAX_PIXELS} pixels.
 */
export function checkPixels(width: number, height: number): void {
  if (width * height <= MAX_PIXELS) return;
  const size = `${width}×${height}`;
  throw new ImageError(
    `The picture has ${size} pixels; at most ${MAX_PIXELS} (such as 8192×8192) are read. Make it ` +
      "smaller with another program.",
    {
      zh:
        `图片有 ${size} 像素；最多读取 ${MAX_PIXELS} 像素（例如 8192×8192）。请先用其他程序缩小。`,
    },
  );
}
