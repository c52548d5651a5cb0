import { NewBieError } from "../errors.ts";

/** A picture of three bytes a pixel: red, green, blue; rows from top to bottom. */
export interface RgbImage {
  /** `3 · width · height` values. */
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** The kinds of files that pictures are read from and written to. */
export type PictureFormat = "png" | "jpeg" | "webp" | "avif";

/** The pixels of a file. */
export interface DecodedPicture {
  /** The colours of the file, also where it is transparent; turned as its EXIF orientation says. */
  readonly image: RgbImage;
  /** `width · height` values, 0 for transparent; absent where the file has no alpha. */
  readonly alpha?: Uint8ClampedArray;
  readonly format: PictureFormat;
}

/** The texts of a file. */
export interface PictureText {
  readonly format: PictureFormat;
  /**
   * By keyword. PNG's texts have their own keywords, and so have the texts that `encodePictureAs`
   * wrote, whatever the format. Texts of EXIF begin with `exif:` (`exif:UserComment`), others of XMP
   * with `xmp:` (`xmp:dc:description`).
   */
  readonly text: Readonly<Record<string, string>>;
  /** Keywords of texts that are there and cannot be read: damaged, or beyond the bound on bytes. */
  readonly unread: readonly string[];
  /** Whether the file's outer form is whole; a picture may be cut short and its texts still be there. */
  readonly isWhole: boolean;
}

/** The most pixels of a picture that is read: 8192 × 8192. */
export const MAX_PIXELS = 2 ** 26;

/** The most bytes that all the texts of a file may have after unpacking. */
export const MAX_TEXT_BYTES = 2 ** 24;

/** Bytes that should be a picture are not, or are of a kind that is not read. */
export class ImageError extends NewBieError {
  override name = "ImageError";
}
