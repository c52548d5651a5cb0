/** The operators of products in 8 bits as their formulas read, on a CPU in float32. */
import type { MatrixRows, OwnMatrix } from "../src/onnx/mod.ts";
import { addressOf } from "../src/runtime/native/c_api.ts";
import type {
  KernelContext,
  MatricesToFill,
  Operator,
} from "../src/runtime/native/custom_operators.ts";
import type { Piece } from "../src/runtime/native/uploads.ts";
import { PartReader, RowReader } from "../src/safetensors/mod.ts";
import { settled } from "../src/settled.ts";
import { elementCount } from "../src/tensor.ts";
import { floats, rmsNorm } from "./_formulas.ts";
import { gated, productsOf, readRows, restoredRows, writeRow } from "./_int8_rows.ts";

/** Makes room for rows in 8 bits, from an output on. */
function outputRows(context: KernelContext, first: number, dims: readonly number[]) {
  const width = dims.at(-1)!;
  const rows = elementCount(dims) / width;
  return {
    values: context.output(first, [Math.ceil(width / 128), rows, 128]),
    scales: context.output(first + 1, dims.slice(0, -1)),
    paddedRows: rows,
  };
}

const quantizeRows: Operator = {
  name: "QuantizeRows",
  inputs: ["float32"],
  outputs: ["int8", "float32"],
  kernel: () => (context) => {
    const { address, dims } = context.input(0);
    const width = dims.at(-1)!;
    const x = floats(address, elementCount(dims));
    const place = outputRows(context, 0, dims);
    for (let at = 0; at < x.length; at += width) {
      writeRow(place, at / width, x.subarray(at, at + width));
    }
  },
};

const normAddNormInt8: Operator = {
  name: "NormAddNormInt8",
  inputs: ["float32", "float32", "float32", "float32"],
  outputs: ["float32", "int8", "float32"],
  kernel: (attributes) => {
    const epsilon = attributes.float("epsilon");
    return (context) => {
      const { address, dims } = context.input(0);
      const count = elementCount(dims);
      const width = dims.at(-1)!;
      const [a, x] = [floats(address, count), floats(context.address(1), count)];
      const [inner, outer] = [2, 3].map((index) => floats(context.address(index), width));
      const sum = floats(context.output(0, dims), count);
      const place = outputRows(context, 1, dims);
      for (let at = 0; at < count; at += width) {
        const total = rmsNorm(a.subarray(at, at + width), inner!, epsilon)
          .map((value, index) => value + x[at + index]!);
        sum.set(total, at);
        writeRow(place, at / width, rmsNorm(total, outer!, epsilon));
      }
    };
  },
};

const product = (name: string, isGated: boolean): Operator => ({
  name,
  inputs: ["int8", "float32"],
  outputs: ["float32"],
  kernel: (attributes, matrices) => {
    const matrix = matrices[attributes.int("matrix")]!;
    let columns: readonly Float64Array[] | undefined;
    return (context) => {
      // It is filled by the first run.
      columns ??= readRows(matrix, matrix.rows, matrix.columns);
      const { address: values, dims: [, paddedRows] } = context.input(0);
      const { address: scales, dims } = context.input(1);
      const rows = elementCount(dims);
      const place = { values, scales, paddedRows: paddedRows! };
      const products = productsOf(readRows(place, rows, matrix.columns), columns);
      const width = isGated ? matrix.rows / 2 : matrix.rows;
      const out = floats(context.output(0, [...dims, width]), rows * width);
      products.forEach((row, index) => out.set(isGated ? gated(row) : row, index * width));
    };
  },
});

const matrixProduct: Operator = {
  name: "Int8MatrixProduct",
  inputs: ["float32"],
  outputs: ["float32"],
  kernel: (attributes, matrices) => {
    const matrix = matrices[attributes.int("matrix")]!;
    const { rows: width, columns: inner } = matrix;
    let restored: readonly Float64Array[] | undefined;
    return (context) => {
      restored ??= restoredRows(matrix, width, inner).map((row) => Float64Array.from(row));
      const { address, dims } = context.input(0);
      const rows = elementCount(dims) / inner;
      const x = floats(address, rows * inner);
      const lines = Array.from({ length: rows }, (_, row) => {
        return Float64Array.from(x.subarray(row * inner, (row + 1) * inner));
      });
      const out = floats(context.output(0, [...dims.slice(0, -1), width]), rows * width);
      productsOf(lines, restored).forEach((row, index) => out.set(row, index * width));
    };
  },
};

/** All of them. */
export const INT8_OPERATORS: readonly Operator[] = [
  matrixProduct,
  quantizeRows,
  normAddNormInt8,
  product("Int8Product", false),
  product("Int8GatedProduct", true),
];

async function rowsOf(matrix: MatrixRows): Promise<Float32Array> {
  if ("values" in matrix) return matrix.values;
  await using reader = await RowReader.open(matrix.entry);
  return await reader.read(Array.from({ length: matrix.shape[0] }, (_, row) => row));
}

/** Makes room for matrices, each of one piece that rounds it. The rows of two parts take turns, 8 by 8. */
export function keepInt8(matrices: readonly OwnMatrix[]): MatricesToFill {
  const kept = matrices.map(({ parts }) => {
    const [{ shape: [partRows, columns] }] = parts as readonly [MatrixRows];
    const rows = partRows * parts.length;
    const memory = [
      new Uint8Array(Math.ceil(columns / 128) * rows * 128),
      new Uint8Array(rows * 4),
    ] as const;
    const place = { values: addressOf(memory[0]), scales: addressOf(memory[1]), paddedRows: rows };
    const read = async () => {
      for (const [index, part] of parts.entries()) {
        const values = await rowsOf(part);
        for (let row = 0; row < partRows; row++) {
          const turn = parts.length === 1 ? row : 16 * Math.floor(row / 8) + 8 * index + row % 8;
          writeRow(place, turn, values.subarray(row * columns, (row + 1) * columns));
        }
      }
    };
    return { memory, matrix: { ...place, rows, columns }, piece: { bytes: 0, read } };
  });
  return {
    matrices: kept.map(({ matrix }) => matrix),
    pieces: kept.map(({ piece }) => piece),
    // Kept for as long as the matrices are.
    [Symbol.dispose]: () => void kept.length,
  };
}

/** Reads what there is room for. */
export async function fillInt8(pieces: readonly Piece[]): Promise<void> {
  using files = new PartReader();
  await settled(pieces.map(({ read }) => read(new Uint8Array(0), files)));
}
