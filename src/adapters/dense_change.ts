import { readValues } from "./_tensors.ts";
import type { AdapterTarget, Change, DoraChange, Factor, Product } from "./types.ts";

/**
 * A change as a whole matrix or vector: what is added to the model's weight at the adapter's weight
 * 1. Another weight multiplies it, of a DoRA as of the others. Sums are taken in float64 and rounded
 * to float32 once.
 *
 * @param target The change and its shape, of `readAdapter`.
 * @param base The values of the model's weight that it changes, those of `target.rows` alone, in
 *   float32; needed by DoRA and by tensors that were trained as a whole
 *   ({@linkcode needsBaseWeight}).
 * @returns `target.shape` in float32, row-major.
 * @throws {RangeError} When the base is missing or has another size.
 * @throws {SafetensorsError} When the file cannot be read, or became shorter.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { openWeights, writeSafetensors } from "../safetensors/mod.ts";
 *
 * const file = `${await Deno.makeTempDir()}/lora.safetensors`;
 * const bytes = (...values: number[]) => [new Uint8Array(Float32Array.from(values).buffer)];
 * await writeSafetensors(file, [
 *   { name: "down", dtype: "F32", shape: [1, 2], bytes: () => bytes(1, 2) },
 *   { name: "up", dtype: "F32", shape: [2, 1], bytes: () => bytes(3, 4) },
 * ]);
 * const { tensors } = await openWeights(file);
 * const [down, up] = [tensors.get("down")!, tensors.get("up")!];
 * const change = { kind: "low-rank", down, up, scale: 0.5 } as const;
 * assert.deepEqual([...await denseChange({ shape: [2, 2], change })], [1.5, 3, 2, 4]);
 * ```
 */
export async function denseChange(
  { shape, change }: Pick<AdapterTarget, "shape" | "change">,
  base?: Float32Array,
): Promise<Float32Array> {
  const [rows = 1, columns = 1] = shape;
  const size = rows * columns;
  if (needsBaseWeight(change) && base?.length !== size) {
    throw new RangeError(
      `The change of a weight [${shape.join(", ")}] needs that weight's ${size} values, but ` +
        `${base?.length ?? 0} were given.`,
    );
  }
  switch (change.kind) {
    case "full":
      return scaled(await readValues(change.difference), change.scale);
    case "replacement":
      return subtracted(await readValues(change.value), base!);
    case "dora":
      return await doraChange(change, base!, rows, columns);
    default:
      return Float32Array.from(await linearChange(change, rows, columns));
  }
}

/** Whether a change depends on the weight that it changes. */
export function needsBaseWeight({ kind }: Change): boolean {
  return kind === "dora" || kind === "replacement";
}

async function linearChange(
  change: DoraChange["inner"],
  rows: number,
  columns: number,
): Promise<Float64Array> {
  if (change.kind === "low-rank") {
    const { up, down, scale } = change;
    const rank = down.shape[0]!;
    const [left, right] = await Promise.all([readValues(up), readValues(down)]);
    return scaled(product(left, right, rows, rank, columns), scale);
  }
  const [w1, w2] = [await matrixOf(change.w1), await matrixOf(change.w2)];
  const whole = change.kind === "kronecker" ? kronecker(w1, w2) : hadamard(w1, w2);
  const [from, to] = change.rows ?? [0, rows];
  return scaled(whole.values.subarray(from * columns, to * columns), change.scale);
}

interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array | Float32Array;
}

async function matrixOf(factor: Factor): Promise<Matrix> {
  if (!("a" in factor)) {
    const [rows, columns] = factor.shape as [number, number];
    return { rows, columns, values: await readValues(factor) };
  }
  const { rows, columns } = extentsOf(factor);
  const [a, b] = [await readValues(factor.a), await readValues(factor.b)];
  const inner = factor.b.shape[0]!;
  if (factor.core === undefined) {
    return { rows, columns, values: product(a, b, rows, inner, columns) };
  }
  const outer = factor.a.shape[0]!;
  const middle = product(await readValues(factor.core), b, outer, inner, columns);
  return {
    rows,
    columns,
    values: product(transposed(a, outer, rows), middle, rows, outer, columns),
  };
}

function extentsOf({ a, b, core }: Product): { readonly rows: number; readonly columns: number } {
  return { rows: a.shape[core === undefined ? 0 : 1]!, columns: b.shape[1]! };
}

/** [rows, inner] · [inner, columns]; four of the inner at a time, since each passes over the sums. */
function product(
  left: Float32Array | Float64Array,
  right: Float32Array | Float64Array,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const sums = result.subarray(row * columns, (row + 1) * columns);
    const factors = left.subarray(row * inner, (row + 1) * inner);
    let index = 0;
    for (; index + 4 <= inner; index += 4) {
      const [a, b, c, d] = factors.subarray(index, index + 4) as unknown as Four;
      const first = right.subarray(index * columns, (index + 1) * columns);
      const second = right.subarray((index + 1) * columns, (index + 2) * columns);
      const third = right.subarray((index + 2) * columns, (index + 3) * columns);
      const fourth = right.subarray((index + 3) * columns, (index + 4) * columns);
      for (let at = 0; at < columns; at++) {
        sums[at]! += a * first[at]! + b * second[at]! + c * third[at]! + d * fourth[at]!;
      }
    }
    for (; index < inner; index++) {
      const factor = factors[index]!;
      const values = right.subarray(index * columns, (index + 1) * columns);
      for (let at = 0; at < columns; at++) sums[at]! += factor * values[at]!;
    }
  }
  return result;
}

type Four = readonly [number, number, number, number];

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = values[row * columns + column]!;
    }
  }
  return result;
}

/** Every value of the first times all of the second, in the first's order. */
function kronecker(w1: Matrix, w2: Matrix): { readonly values: Float64Array } {
  const columns = w1.columns * w2.columns;
  const values = new Float64Array(w1.rows * w2.rows * columns);
  for (let row1 = 0; row1 < w1.rows; row1++) {
    for (let row2 = 0; row2 < w2.rows; row2++) {
      let at = (row1 * w2.rows + row2) * columns;
      for (let column1 = 0; column1 < w1.columns; column1++) {
        const factor = w1.values[row1 * w1.columns + column1]!;
        for (let column2 = 0; column2 < w2.columns; column2++) {
          values[at++] = factor * w2.values[row2 * w2.columns + column2]!;
        }
      }
    }
  }
  return { values };
}

/** Value by value, in the place of the first. */
function hadamard(w1: Matrix, w2: Matrix): { readonly values: Float64Array } {
  // Both are products, made for this.
  const values = w1.values as Float64Array;
  for (let i = 0; i < values.length; i++) values[i]! *= w2.values[i]!;
  return { values };
}

function subtracted(values: Float32Array, others: Float32Array): Float32Array {
  for (let i = 0; i < values.length; i++) values[i]! -= others[i]!;
  return values;
}

function scaled<Values extends Float32Array | Float64Array>(values: Values, scale: number): Values {
  if (scale !== 1) { for (let i = 0; i < values.length; i++) values[i]! *= scale; }
  return values;
}

/** V · m / ‖V‖ − W with V = W + the inner change. */
async function doraChange(
  { inner, magnitude, axis }: DoraChange,
  base: Float32Array,
  rows: number,
  columns: number,
): Promise<Float32Array> {
  const values = await linearChange(inner, rows, columns);
  const magnitudes = await readValues(magnitude);
  const squares = new Float64Array(axis === "rows" ? rows : columns);
  const place = (index: number) => axis === "rows" ? Math.floor(index / columns) : index % columns;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]! += base[i]!;
    squares[place(i)]! += value * value;
  }
  const factors = squares.map((square, index) =>
    // A row of zeros has no direction: it stays as it is.
    square === 0 ? 0 : magnitudes[index]! / Math.sqrt(square)
  );
  const change = new Float32Array(values.length);
  for (let i = 0; i < change.length; i++) change[i] = values[i]! * factors[place(i)]! - base[i]!;
  return change;
}
