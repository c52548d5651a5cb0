import {
  decodePicture,
  encodePictureAs,
  type PictureFormat,
  readPictureText,
} from "../image/mod.ts";

/**
 * A picture's file in another format, with the same texts.
 *
 * @throws {ImageError} When the bytes are no picture.
 */
export async function encodeAs(
  bytes: Uint8Array,
  format: PictureFormat,
): Promise<Uint8Array<ArrayBuffer>> {
  const { image } = await decodePicture(bytes);
  const { text } = readPictureText(bytes);
  return new Uint8Array(await encodePictureAs(image, format, { text }));
}
