/** The place of a mask, drawn for itself and put back: a face is drawn with all of the model's pixels. */
import { pasteOutside, resizeImage, type RgbImage } from "../image/mod.ts";
import { DEFAULT_MASK_BLUR } from "../settings/mod.ts";

/** A size in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A part of a picture. */
export interface Place extends Size {
  readonly left: number;
  readonly top: number;
}

/** What a place is put back into. */
export interface Surroundings {
  readonly image: RgbImage;
  /** White where it is drawn anew. */
  readonly mask: RgbImage;
  readonly place: Place;
}

/** A mask's value from here on is drawn, as the pipeline has it for masks of black and white. */
const DRAWN = 128;
const WHITE = 255;

/**
 * Where a mask is, with some room around it, in the shape of what is drawn as far as the picture
 * allows; undefined where the mask is black.
 *
 * @param padding Pixels around the mask.
 * @param ratio Width by height of what is drawn; absent for any.
 */
export function maskedPlace(
  { data, width, height }: RgbImage,
  padding: number,
  ratio: number | undefined,
  isDifferential: boolean,
): Place | undefined {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[3 * (y * width + x)]! < (isDifferential ? 1 : DRAWN)) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  if (right < 0) return undefined;
  let [across, x] = grown(left - padding, right + 1 + padding, width, 0);
  let [down, y] = grown(top - padding, bottom + 1 + padding, height, 0);
  if (ratio !== undefined && across < down * ratio) {
    [across, x] = grown(x, x + across, width, Math.round(down * ratio));
  } else if (ratio !== undefined) {
    [down, y] = grown(y, y + down, height, Math.round(across / ratio));
  }
  return { left: x, top: y, width: across, height: down };
}

/** A stretch of at least so many pixels around another one, within a picture. */
function grown(from: number, to: number, most: number, least: number): [number, number] {
  const start = Math.max(0, from);
  const end = Math.min(most, to);
  const length = Math.min(most, Math.max(end - start, least));
  const middle = start - Math.floor((length - (end - start)) / 2);
  return [length, Math.min(Math.max(0, middle), most - length)];
}

/** A part of a picture for itself. */
export function cutOut(image: RgbImage, { left, top, width, height }: Place): RgbImage {
  const data = new Uint8ClampedArray(3 * width * height);
  for (let y = 0; y < height; y++) {
    const start = 3 * ((top + y) * image.width + left);
    data.set(image.data.subarray(start, start + 3 * width), 3 * y * width);
  }
  return { data, width, height };
}

/**
 * The whole picture with its place drawn anew: outside of the mask and of its soft edge nothing changes.
 *
 * @param drawn The place, of any size.
 */
export function putBack(
  drawn: RgbImage,
  { image, mask, place }: Surroundings,
  { maskBlur = DEFAULT_MASK_BLUR, overlay = "original", differentialMask = false }: {
    readonly maskBlur?: number | undefined;
    readonly overlay?: "original" | "none" | undefined;
    readonly differentialMask?: boolean | undefined;
  },
): RgbImage {
  const { left, top, width, height } = place;
  const sized = resizeImage(drawn, { width, height });
  const data = new Uint8ClampedArray(image.data);
  for (let y = 0; y < height; y++) {
    const row = sized.data.subarray(3 * y * width, 3 * (y + 1) * width);
    data.set(row, 3 * ((top + y) * image.width + left));
  }
  const whole = { ...image, data };
  if (overlay === "none") return whole;
  const inside = Float32Array.from({ length: mask.data.length / 3 }, (_, pixel) => {
    const value = mask.data[3 * pixel]!;
    return differentialMask ? value / WHITE : Number(value >= DRAWN);
  });
  return pasteOutside(whole, image, inside, { blur: maskBlur });
}
