/**
 * Rows in 8 bits, value by value: a Hadamard rotation by its definition, rounding, and where each value
 * lies.
 */
import { memoryAt } from "../src/runtime/native/c_api.ts";

const GROUP = 64;
const RUN = 128;

/** Hadamard's matrix: its element (i, j) is (−1) to the number of bits that i and j share, over 8. */
const HADAMARD = Float64Array.from({ length: GROUP * GROUP }, (_, index) => {
  const shared = index % GROUP & Math.floor(index / GROUP);
  const ones = shared.toString(2).replaceAll("0", "").length;
  return (ones % 2 === 0 ? 1 : -1) / Math.sqrt(GROUP);
});

/** A row times Hadamard's matrix over groups of 64. */
function rotated(row: Float32Array): Float64Array {
  return Float64Array.from(row, (_, index) => {
    const column = index % GROUP;
    let sum = 0;
    for (let i = 0; i < GROUP; i++) {
      sum += HADAMARD[i * GROUP + column]! * (row[index - column + i] ?? 0);
    }
    return sum;
  });
}

/** A row in 8 bits. */
function quantized(row: Float32Array): { values: Int8Array; scale: number } {
  const turned = rotated(row);
  const most = turned.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return {
    values: Int8Array.from(turned, (value) => most === 0 ? 0 : Math.round(value / most * 127)),
    scale: most / 127,
  };
}

/** Where a value is: run by run of 128, and in each the 16-byte parts in the order of their row. */
function placeOf(row: number, column: number, paddedRows: number): number {
  const [run, inRun] = [Math.floor(column / RUN), column % RUN];
  const part = Math.floor(inRun / 16) ^ (row & 7);
  return (run * paddedRows + row) * RUN + part * 16 + inRun % 16;
}

/** A matrix of such rows in memory. */
export interface Int8Place {
  readonly values: bigint;
  readonly scales: bigint;
  readonly paddedRows: number;
}

/** Writes one row. */
export function writeRow(
  { values, scales, paddedRows }: Int8Place,
  row: number,
  data: Float32Array,
) {
  const { values: found, scale } = quantized(data);
  const runs = Math.ceil(data.length / RUN);
  const memory = new Int8Array(memoryAt(values, runs * paddedRows * RUN));
  for (let column = 0; column < runs * RUN; column++) {
    memory[placeOf(row, column, paddedRows)] = found[column] ?? 0;
  }
  new Float32Array(memoryAt(scales, (row + 1) * 4))[row] = scale;
}

/** Reads rows as the values that they stand for, still rotated. */
export function readRows(
  { values, scales, paddedRows }: Int8Place,
  rows: number,
  width: number,
): Float64Array[] {
  const runs = Math.ceil(width / RUN);
  const memory = new Int8Array(memoryAt(values, runs * paddedRows * RUN));
  const factors = new Float32Array(memoryAt(scales, rows * 4));
  return Array.from({ length: rows }, (_, row) =>
    Float64Array.from(
      { length: width },
      (_, column) => memory[placeOf(row, column, paddedRows)]! * factors[row]!,
    ));
}

/** Rows as they were, but for their rounding. */
export function restoredRows(place: Int8Place, rows: number, width: number): Float32Array[] {
  return readRows(place, rows, width).map((row) =>
    Float32Array.from(rotated(Float32Array.from(row)))
  );
}

/** Products of all rows of one matrix with all of another: [a's, b's]. */
export function productsOf(a: readonly Float64Array[], b: readonly Float64Array[]): number[][] {
  return a.map((left) =>
    b.map((right) => {
      let sum = 0;
      for (let i = 0; i < left.length; i++) sum += left[i]! * right[i]!;
      return sum;
    })
  );
}

/** silu(gate) · value, where 8 gates and the 8 values that they open take turns. */
export function gated(products: readonly number[]): number[] {
  return Array.from({ length: products.length / 2 }, (_, index) => {
    const at = 16 * Math.floor(index / 8) + index % 8;
    const gate = products[at]!;
    return gate / (1 + Math.exp(-gate)) * products[at + 8]!;
  });
}
