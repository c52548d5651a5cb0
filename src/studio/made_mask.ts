import { RequestError } from "../errors.ts";
import { decodePicture, encodePng, resizeImage, type RgbImage } from "../image/mod.ts";

/** How another program's mask is meant. */
export interface MaskOptions {
  /**
   * Where to draw: where it is transparent, as OpenAI means it; or where it is opaque or else white,
   * as AUTOMATIC1111 means it.
   */
  readonly drawn: "transparent" | "opaque-or-white";
  /** Draws everywhere else. */
  readonly isInverted?: boolean;
  /** The size that the mask is brought to. */
  readonly width: number;
  readonly height: number;
}

/** An opacity above this is opaque, as AUTOMATIC1111's `create_binary_mask` has it. */
const HALF = 128;
const FULL = 255;

/**
 * A mask that is white where the picture is drawn anew, as PNG.
 *
 * @param bytes The file of a mask.
 * @throws {ImageError} When the bytes are no picture.
 * @throws {RequestError} When it marks nothing.
 */
export async function madeMask(
  bytes: Uint8Array,
  { drawn, isInverted = false, width, height }: MaskOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { image, alpha } = await decodePicture(bytes);
  const { data: colours } = image;
  const valueAt = drawn === "transparent"
    ? (pixel: number) => FULL - (alpha?.[pixel] ?? FULL)
    : alpha !== undefined
    ? (pixel: number) => alpha[pixel]! > HALF ? FULL : 0
    : (pixel: number) => {
      const [red, green, blue] = [0, 1, 2].map((channel) => colours[3 * pixel + channel]!);
      return Math.round((299 * red! + 587 * green! + 114 * blue!) / 1000);
    };
  const data = new Uint8ClampedArray(colours.length);
  for (let pixel = 0; pixel < data.length / 3; pixel++) {
    const value = valueAt(pixel);
    data.fill(isInverted ? FULL - value : value, 3 * pixel, 3 * pixel + 3);
  }
  if (data.every((value) => value === 0)) throw marksNothing(drawn, isInverted);
  const own: RgbImage = { data, width: image.width, height: image.height };
  const isSized = own.width === width && own.height === height;
  return new Uint8Array(encodePng(isSized ? own : resizeImage(own, { width, height })));
}

/** A mask that leaves all as it is, in the words of whoever made it. */
function marksNothing(drawn: MaskOptions["drawn"], isInverted: boolean): RequestError {
  if (drawn === "transparent") {
    return new RequestError({
      en:
        "The mask is transparent nowhere, so nothing would be drawn anew: what is transparent is " +
        "what is drawn anew.",
      zh: "蒙版没有任何透明之处，因此不会重画任何部分：透明之处才是要重画的部分。",
    });
  }
  return isInverted
    ? new RequestError({
      en: "The mask is white everywhere and inverted, so nothing would be drawn anew.",
      zh: "蒙版全为白色，又被反转，因此不会重画任何部分。",
    })
    : new RequestError({
      en:
        "The mask is black everywhere, so nothing would be drawn anew: white is what is drawn anew.",
      zh: "蒙版全为黑色，因此不会重画任何部分：白色表示要重画的部分。",
    });
}
