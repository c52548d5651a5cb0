/**
 * OKLab, a space in which equal distances look about equally different: L 0…1 is lightness, a and b
 * are green–red and blue–yellow. Björn Ottosson, "A perceptual color space for image processing".
 *
 * @module
 */
import type { RgbImage } from "../../src/image/mod.ts";

/** A colour: L, a, b. */
export type Lab = readonly [number, number, number];

/** A picture in OKLab, one plane each. */
export interface LabImage {
  readonly L: Float32Array;
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly width: number;
  readonly height: number;
}

/** sRGB's transfer curve undone, for each byte. */
const LINEAR = Float64Array.from({ length: 256 }, (_, byte) => {
  const value = byte / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
});

/** A colour of three bytes. */
function labOfBytes(red: number, green: number, blue: number): Lab {
  const r = LINEAR[red]!, g = LINEAR[green]!, b = LINEAR[blue]!;
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** Converts every pixel. */
export function toLab({ data, width, height }: RgbImage): LabImage {
  const pixels = width * height;
  const planes = [0, 1, 2].map(() => new Float32Array(pixels));
  const [L, a, b] = planes as [Float32Array, Float32Array, Float32Array];
  for (let i = 0; i < pixels; i++) {
    [L[i], a[i], b[i]] = labOfBytes(data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!);
  }
  return { L, a, b, width, height };
}

/** A colour written as 0xRRGGBB. */
export function labOf(rgb: number): Lab {
  return labOfBytes(rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255);
}

/** How different two colours look; black and white are 1 apart. */
export function distance(p: Lab, q: Lab): number {
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

/** How far a colour is from grey. */
export function chroma([, a, b]: Lab): number {
  return Math.hypot(a, b);
}

/** `p` with that share of `q` in it. */
export function blend(p: Lab, q: Lab, share: number): Lab {
  const part = (k: 0 | 1 | 2) => p[k] + (q[k] - p[k]) * share;
  return [part(0), part(1), part(2)];
}

/** The median of each coordinate. */
export function medianColor(colors: readonly Lab[]): Lab {
  const part = (k: 0 | 1 | 2) => {
    const sorted = Float32Array.from(colors, (color) => color[k]).sort();
    return sorted[sorted.length >> 1]!;
  };
  return [part(0), part(1), part(2)];
}
