import type { PictureFormat } from "../image/mod.ts";

/** What HTTP calls the formats of pictures. */
export const CONTENT_TYPES: Readonly<Record<PictureFormat, string>> = {
  png: "image/png",
  jpeg: "image/jpeg",
  webp: "image/webp",
  avif: "image/avif",
};
