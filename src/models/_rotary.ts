import { type Tensor, tensor } from "../tensor.ts";

/** Cosines and sines of a sequence, each [length, headDim / 2]. */
export interface RopeTensors {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/**
 * The tables of a language model: positions 0…length-1 times inverse frequencies. Every step is
 * rounded to float32, as in transformers (`compute_default_rope_parameters`), because a rounded
 * frequency times a late position is another angle.
 *
 * @param factor Divides the frequencies: transformers' rope type `linear`.
 */
export function languageRopeTables(
  length: number,
  headDim: number,
  theta: number,
  factor = 1,
): RopeTensors {
  const { fround } = Math;
  const frequencies = Array.from({ length: headDim / 2 }, (_, index) => {
    const period = fround(fround(theta) ** fround(2 * index / headDim));
    return fround(fround(1 / period) / factor);
  });
  return tabulate(length, frequencies.length, (row, column) => fround(row * frequencies[column]!));
}

/** Cosine and sine of an angle (radians, already rounded to float32) for each row and column. */
export function tabulate(
  rows: number,
  columns: number,
  angle: (row: number, column: number) => number,
): RopeTensors {
  const cos = new Float32Array(rows * columns);
  const sin = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const radians = angle(row, column);
      cos[row * columns + column] = Math.cos(radians);
      sin[row * columns + column] = Math.sin(radians);
    }
  }
  return { cos: tensor(cos, [rows, columns]), sin: tensor(sin, [rows, columns]) };
}
