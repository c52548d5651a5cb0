import type { DecodedPicture } from "./types.ts";

type Pixels = Omit<DecodedPicture, "format">;

/**
 * By EXIF's number: whether columns are counted from the right, rows from the bottom, and whether
 * rows become columns. CIPA DC-008, section 4.6.4, tag Orientation.
 */
const TURNS: Readonly<
  Record<number, { readonly right?: boolean; readonly bottom?: boolean; readonly swap?: boolean }>
> = {
  2: { right: true },
  3: { right: true, bottom: true },
  4: { bottom: true },
  5: { swap: true },
  6: { bottom: true, swap: true },
  7: { right: true, bottom: true, swap: true },
  8: { right: true, swap: true },
};

/** Turns a picture the way up that EXIF says. */
export function orient(pixels: Pixels, orientation: number): Pixels {
  const turn = TURNS[orientation];
  if (turn === undefined) return pixels;
  const { right = false, bottom = false, swap = false } = turn;
  const { image: { data, width: columns, height: rows }, alpha } = pixels;
  const [width, height] = swap ? [rows, columns] : [columns, rows];
  const rgb = new Uint8ClampedArray(data.length);
  const turned = alpha === undefined ? undefined : new Uint8ClampedArray(alpha.length);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to++) {
      const [column, row] = swap ? [y, x] : [x, y];
      const from = (bottom ? rows - 1 - row : row) * columns +
        (right ? columns - 1 - column : column);
      rgb[3 * to] = data[3 * from]!;
      rgb[3 * to + 1] = data[3 * from + 1]!;
      rgb[3 * to + 2] = data[3 * from + 2]!;
      if (turned !== undefined) turned[to] = alpha![from]!;
    }
  }
  const image = { data: rgb, width, height };
  return turned === undefined ? { image } : { image, alpha: turned };
}
