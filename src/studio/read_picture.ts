import { RequestError } from "../errors.ts";
import { type DecodedPicture, decodePicture, ImageError } from "../image/mod.ts";
import { readBytes } from "./read_text.ts";

/** A picture's file. */
export interface PictureFile {
  readonly bytes: Uint8Array;
  readonly picture: DecodedPicture;
}

/**
 * Reads a picture that a person names.
 *
 * @throws {RequestError} When the file cannot be read, or is no picture.
 */
export async function readPicture(path: string): Promise<PictureFile> {
  const bytes = await readBytes(path);
  try {
    return { bytes, picture: await decodePicture(bytes) };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new RequestError({
      en: `${path}: ${error.explain("en")}`,
      zh: `${path}：${error.explain("zh")}`,
    }, { cause: error });
  }
}
