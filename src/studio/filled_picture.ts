import { decodePicture, encodePng, flattened, type RgbImage, WHITE } from "../image/mod.ts";

/** How much of a colour counts: its share, and the colours times their shares. */
interface Level {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue and share of each pixel. */
  readonly values: Float32Array;
}

const PARTS = 4;
const HALF = 128;

/**
 * A picture whose masked places have the colours of what surrounds them, softly: each is the mean of
 * the smallest neighbourhood that is not masked, as pyramids fill holes (pull and push). AUTOMATIC1111
 * calls it "fill", and blurs.
 *
 * @param bytes The file of a picture.
 * @param maskBytes The file of a mask of its size; at least half white is masked.
 * @throws {ImageError} When one of them is no picture.
 */
export async function filledPicture(
  bytes: Uint8Array,
  maskBytes: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const image = flattened(await decodePicture(bytes), WHITE);
  const { image: mask } = await decodePicture(maskBytes);
  return new Uint8Array(encodePng(filled(image, mask)));
}

function filled({ data, width, height }: RgbImage, mask: RgbImage): RgbImage {
  const values = new Float32Array(PARTS * width * height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (mask.data[3 * pixel]! >= HALF) continue;
    values.set(data.subarray(3 * pixel, 3 * pixel + 3), PARTS * pixel);
    values[PARTS * pixel + 3] = 1;
  }
  const levels: Level[] = [{ width, height, values }];
  while (levels.at(-1)!.width > 1 || levels.at(-1)!.height > 1) levels.push(halved(levels.at(-1)!));
  for (const [index, level] of levels.entries().toArray().toReversed()) {
    const coarser = levels[index + 1];
    if (coarser !== undefined) complete(level, coarser);
  }
  const out = new Uint8ClampedArray(data);
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (mask.data[3 * pixel]! < HALF) continue;
    for (let part = 0; part < 3; part++) {
      out[3 * pixel + part] = Math.round(values[PARTS * pixel + part]!);
    }
  }
  return { data: out, width, height };
}

/** Half as wide and high: each colour is the mean of those of the four that are known. */
function halved({ width, height, values }: Level): Level {
  const [across, down] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const half = new Float32Array(PARTS * across * down);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = PARTS * (y * width + x);
      const to = PARTS * ((y >> 1) * across + (x >> 1));
      const share = values[from + 3]!;
      for (let part = 0; part < 3; part++) half[to + part]! += share * values[from + part]!;
      half[to + 3]! += share;
    }
  }
  for (let to = 0; to < half.length; to += PARTS) {
    const share = half[to + 3]!;
    if (share === 0) continue;
    for (let part = 0; part < 3; part++) half[to + part]! /= share;
    half[to + 3] = 1;
  }
  return { width: across, height: down, values: half };
}

/** What is not known comes from the coarser level, between its four nearest values. */
function complete({ width, height, values }: Level, coarser: Level): void {
  const place = (at: number, most: number) => {
    const middle = Math.min(most - 1, Math.max(0, (at - 0.5) / 2));
    const before = Math.floor(middle);
    return [before, Math.min(most - 1, before + 1), middle - before] as const;
  };
  for (let y = 0; y < height; y++) {
    const [top, bottom, down] = place(y, coarser.height);
    for (let x = 0; x < width; x++) {
      const to = PARTS * (y * width + x);
      if (values[to + 3] === 1) continue;
      const [left, right, across] = place(x, coarser.width);
      for (let part = 0; part < 3; part++) {
        const of = (row: number, column: number) =>
          coarser.values[PARTS * (row * coarser.width + column) + part]!;
        const upper = of(top, left) * (1 - across) + of(top, right) * across;
        const lower = of(bottom, left) * (1 - across) + of(bottom, right) * across;
        values[to + part] = upper * (1 - down) + lower * down;
      }
      values[to + 3] = 1;
    }
  }
}
