/**
 * Noise that lies near a seed's: mixed with another seed's, or the one that it has at another size. The
 * arithmetic is that of AUTOMATIC1111's modules/rng.py.
 *
 * @module
 */
import { createGenerator, type GeneratorOptions } from "../random/mod.ts";
import { elementCount, type Tensor, tensor } from "../tensor.ts";

/** How the noise of a call's pictures is drawn. */
export interface NoiseVariation {
  /** The other seed, and how far to go to it. */
  readonly variation?: { readonly seed: number | bigint; readonly strength: number } | undefined;
  /** Rows and columns of the latents whose noise lies in the middle. */
  readonly resizeFrom?: readonly [rows: number, columns: number] | undefined;
}

/**
 * Draws each sample by its own generator.
 *
 * @param sampleDims [C, rows, columns].
 * @returns [samples, C, rows, columns].
 */
export function variedNoise(
  generators: readonly GeneratorOptions[],
  sampleDims: readonly [number, number, number],
  { variation, resizeFrom }: NoiseVariation,
): Tensor {
  const [channels, rows, columns] = sampleDims;
  const length = elementCount(sampleDims);
  const all = new Float32Array(generators.length * length);
  const own = [channels, ...resizeFrom ?? [rows, columns]] as const;
  generators.forEach((generator, index) => {
    let noise = draw(generator, own);
    if (variation !== undefined && variation.strength > 0) {
      const other = draw({ ...generator, seed: variation.seed }, own);
      noise = slerp(noise, other, own, variation.strength);
    }
    if (resizeFrom !== undefined) {
      noise = inMiddle(noise, own, draw(generator, sampleDims), sampleDims);
    }
    all.set(noise, index * length);
  });
  return tensor(all, [generators.length, ...sampleDims]);
}

function draw(generator: GeneratorOptions, dims: readonly number[]): Float32Array {
  const noise = new Float32Array(elementCount(dims));
  createGenerator(generator).fillNormal(noise);
  return noise;
}

/** Beyond this the two are so alike that they are mixed along a line. */
const ALIKE = 0.9995;

/** Between two noises along an arc: by columns of each channel, as the original has its axes. */
function slerp(
  low: Float32Array,
  high: Float32Array,
  [channels, rows, columns]: readonly [number, number, number],
  share: number,
): Float32Array {
  const place = (channel: number, row: number, column: number) =>
    (channel * rows + row) * columns + column;
  const dots = new Float64Array(channels * columns);
  for (let channel = 0; channel < channels; channel++) {
    for (let column = 0; column < columns; column++) {
      let [dot, ofLow, ofHigh] = [0, 0, 0];
      for (let row = 0; row < rows; row++) {
        const at = place(channel, row, column);
        dot += low[at]! * high[at]!;
        ofLow += low[at]! ** 2;
        ofHigh += high[at]! ** 2;
      }
      dots[channel * columns + column] = dot / Math.sqrt(ofLow * ofHigh);
    }
  }
  const isAlike = dots.reduce((sum, dot) => sum + dot, 0) / dots.length > ALIKE;
  return low.map((value, at) => {
    if (isAlike) return (1 - share) * value + share * high[at]!;
    const channel = Math.floor(at / (rows * columns));
    const angle = Math.acos(Math.max(-1, Math.min(1, dots[channel * columns + at % columns]!)));
    // With one row, two noises point the same way or opposite ways: there is no arc.
    if (Math.sin(angle) === 0) return (1 - share) * value + share * high[at]!;
    return (Math.sin((1 - share) * angle) * value + Math.sin(share * angle) * high[at]!) /
      Math.sin(angle);
  });
}

/** A noise with another one, of another size, in its middle. */
function inMiddle(
  inner: Float32Array,
  [, innerRows, innerColumns]: readonly [number, number, number],
  outer: Float32Array,
  [channels, rows, columns]: readonly [number, number, number],
): Float32Array {
  const margin = (whole: number, part: number) => Math.floor((whole - part) / 2);
  const [down, right] = [margin(rows, innerRows), margin(columns, innerColumns)];
  const height = down >= 0 ? innerRows : innerRows + 2 * down;
  const width = right >= 0 ? innerColumns : innerColumns + 2 * right;
  const [top, left] = [Math.max(0, down), Math.max(0, right)];
  const [innerTop, innerLeft] = [Math.max(0, -down), Math.max(0, -right)];
  const noise = outer.slice();
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < height; row++) {
      const from = (channel * innerRows + innerTop + row) * innerColumns + innerLeft;
      const to = (channel * rows + top + row) * columns + left;
      noise.set(inner.subarray(from, from + width), to);
    }
  }
  return noise;
}
