/**
 * PNG's row filters: each byte minus what its neighbours let expect, which leaves small numbers of a
 * smooth picture, and those compress well.
 *
 * Filters and the choice among them: https://www.w3.org/TR/png-3/#9Filters, and section 12.7 there.
 *
 * @module
 */

import { Fault } from "./_fault.ts";

/** In PNG's order: None, Sub, Up, Average, Paeth. */
const FILTERS = 5;

/**
 * Rows, each behind the number of its filter: the one whose results, read as signed bytes, have the
 * least sum of magnitudes.
 *
 * @param data Rows of `rowBytes`.
 * @param pixelBytes How many bytes before a byte its left neighbour is.
 */
export function filterRows(
  data: Uint8ClampedArray,
  rowBytes: number,
  pixelBytes: number,
): Uint8Array {
  const height = data.length / rowBytes;
  const rows = new Uint8Array((1 + rowBytes) * height);
  const filtered = Array.from({ length: FILTERS }, () => new Int8Array(rowBytes));
  let above: Uint8ClampedArray = new Uint8ClampedArray(rowBytes);
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * rowBytes, (y + 1) * rowBytes);
    filterRow(row, above, pixelBytes, filtered as FilteredRows);
    const sums = filtered.map(sumOfMagnitudes);
    const best = sums.indexOf(Math.min(...sums));
    rows[y * (1 + rowBytes)] = best;
    rows.set(filtered[best]!, y * (1 + rowBytes) + 1);
    above = row;
  }
  return rows;
}

type FilteredRows = [Int8Array, Int8Array, Int8Array, Int8Array, Int8Array];

/** Fills in what each filter makes of a row. */
function filterRow(
  row: Uint8ClampedArray,
  above: Uint8ClampedArray,
  pixelBytes: number,
  [none, sub, up, average, paeth]: FilteredRows,
): void {
  for (let i = 0; i < row.length; i++) {
    const byte = row[i]!;
    const left = i < pixelBytes ? 0 : row[i - pixelBytes]!;
    const upper = above[i]!;
    const corner = i < pixelBytes ? 0 : above[i - pixelBytes]!;
    none[i] = byte;
    sub[i] = byte - left;
    up[i] = byte - upper;
    average[i] = byte - ((left + upper) >> 1);
    paeth[i] = byte - nearest(left, upper, corner);
  }
}

/** Paeth's predictor: of three neighbours the one nearest to left + upper − corner. */
function nearest(left: number, upper: number, corner: number): number {
  const fromLeft = Math.abs(upper - corner);
  const fromUpper = Math.abs(left - corner);
  const fromCorner = Math.abs(left + upper - 2 * corner);
  if (fromLeft <= fromUpper && fromLeft <= fromCorner) return left;
  return fromUpper <= fromCorner ? upper : corner;
}

function sumOfMagnitudes(values: Int8Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i]!);
  return sum;
}

/** What a byte was expected to be, by the number of the filter. */
const EXPECTED: readonly ((left: number, upper: number, corner: number) => number)[] = [
  () => 0,
  (left) => left,
  (_, upper) => upper,
  (left, upper) => (left + upper) >> 1,
  nearest,
];

/**
 * The rows that were filtered, without the filters' numbers.
 *
 * @throws {Fault} When there is no filter of a number.
 */
export function unfilterRows(rows: Uint8Array, rowBytes: number, pixelBytes: number): Uint8Array {
  const height = rows.length / (1 + rowBytes);
  const data = new Uint8Array(rowBytes * height);
  let above = new Uint8Array(rowBytes);
  for (let y = 0; y < height; y++) {
    const from = y * (1 + rowBytes);
    const expected = EXPECTED[rows[from]!];
    if (expected === undefined) {
      throw new Fault(
        `row ${y} has the unknown filter ${rows[from]}`,
        `第 ${y} 行的过滤器 ${rows[from]} 不存在`,
      );
    }
    const row = data.subarray(y * rowBytes, (y + 1) * rowBytes);
    for (let i = 0; i < rowBytes; i++) {
      const left = i < pixelBytes ? 0 : row[i - pixelBytes]!;
      const corner = i < pixelBytes ? 0 : above[i - pixelBytes]!;
      row[i] = rows[from + 1 + i]! + expected(left, above[i]!, corner);
    }
    above = row;
  }
  return data;
}
