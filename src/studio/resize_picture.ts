import { RequestError } from "../errors.ts";
import { decodePicture, encodePng, type RgbImage } from "../image/mod.ts";

/** How to resize a picture. */
export interface ResizeOptions {
  readonly kind: "lanczos" | "nearest";
  /** By how much; or else both sides in pixels. */
  readonly scale?: number;
  readonly width?: number;
  readonly height?: number;
  /** The most pixels of the result. */
  readonly mostPixels: number;
}

/** The width of Lanczos' window, in pixels of the smaller picture. */
const LOBES = 3;
const CHANNELS = 3;

/**
 * A picture in another size, as PNG.
 *
 * @param bytes The file of a picture.
 * @throws {ImageError} When the bytes are no picture.
 * @throws {RequestError} When the result would be too large.
 */
export async function resizePicture(
  bytes: Uint8Array,
  { kind, scale = 1, width, height, mostPixels }: ResizeOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { image } = await decodePicture(bytes);
  const columns = width ?? Math.max(1, Math.round(image.width * scale));
  const rows = height ?? Math.max(1, Math.round(image.height * scale));
  if (!(columns * rows <= mostPixels)) {
    throw new RequestError({
      en: `The picture would be ${columns} × ${rows} pixels; at most ${mostPixels} are made.`,
      zh: `图片将为 ${columns} × ${rows} 像素；最多允许 ${mostPixels} 像素。`,
    });
  }
  const kernel = kind === "nearest" ? nearest : lanczos;
  const resized = columns === image.width && rows === image.height
    ? image
    : resize(image, columns, rows, kernel);
  return new Uint8Array(encodePng(resized));
}

/** For each place of the result the first place of the source, and the weights from there on. */
type Kernel = (
  from: number,
  to: number,
) => readonly { first: number; weights: readonly number[] }[];

const nearest: Kernel = (from, to) =>
  Array.from({ length: to }, (_, place) => ({
    first: Math.min(from - 1, Math.floor((place + 0.5) * from / to)),
    weights: [1],
  }));

/** Lanczos' kernel, widened where the picture becomes smaller. */
const lanczos: Kernel = (from, to) => {
  const widening = Math.max(1, from / to);
  const support = LOBES * widening;
  return Array.from({ length: to }, (_, place) => {
    const center = (place + 0.5) * from / to - 0.5;
    const first = Math.max(0, Math.ceil(center - support));
    const last = Math.min(from - 1, Math.floor(center + support));
    const weights: number[] = [];
    for (let at = first; at <= last; at++) weights.push(window((at - center) / widening));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
};

/** sinc(x) · sinc(x / 3). */
function window(x: number): number {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES) return 0;
  const angle = Math.PI * x;
  return LOBES * Math.sin(angle) * Math.sin(angle / LOBES) / (angle * angle);
}

/** First along the rows, then along the columns. */
function resize(image: RgbImage, width: number, height: number, kernel: Kernel): RgbImage {
  const across = kernel(image.width, width);
  const down = kernel(image.height, height);
  const wide = new Float32Array(CHANNELS * width * image.height);
  for (let y = 0; y < image.height; y++) {
    for (const [x, { first, weights }] of across.entries()) {
      for (let channel = 0; channel < CHANNELS; channel++) {
        let sum = 0;
        for (const [step, weight] of weights.entries()) {
          sum += weight * image.data[CHANNELS * (y * image.width + first + step) + channel]!;
        }
        wide[CHANNELS * (y * width + x) + channel] = sum;
      }
    }
  }
  const data = new Uint8ClampedArray(CHANNELS * width * height);
  for (const [y, { first, weights }] of down.entries()) {
    for (let place = 0; place < CHANNELS * width; place++) {
      let sum = 0;
      for (const [step, weight] of weights.entries()) {
        sum += weight * wide[CHANNELS * width * (first + step) + place]!;
      }
      data[CHANNELS * width * y + place] = Math.round(sum);
    }
  }
  return { data, width, height };
}
