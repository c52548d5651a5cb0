import { NewBieError } from "../errors.ts";

/** A picture of three bytes a pixel: red, green, blue; rows from top to bottom. */
export interface RgbImage {
  /** `3 · width · height` values. */
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** Bytes that should be a picture are not, or are of a kind that is not read. */
export class ImageError extends NewBieError {
  override name = "ImageError";
}
