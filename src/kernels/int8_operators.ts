/**
 * The operators of products in 8 bits.
 *
 * @module
 */
import { RUN_VALUES, VECTOR_VALUES, WARP_THREADS } from "../onnx/mod.ts";
import type { Operator } from "../runtime/native/custom_operators.ts";
import { elementCount } from "../tensor.ts";
import {
  type CudaKernels,
  type KernelType,
  type Launch,
  type Parameter,
  pointers,
  VALUE_BYTES,
} from "./cuda_kernels.ts";
import { rowQuantizer } from "./row_quantizer.ts";

/** Rows and columns of a tile of a product. */
const TILE = 128;
/** Rows of tiles that are gone through together, so that what they read is still in the cache. */
const BAND = 16;
/** Threads of a block of mma.sync's kernel, and the bytes that they share: three stages of two tiles. */
const THREADS = 256;
const SHARED = 3 * 2 * TILE * RUN_VALUES;
/** Threads of a block of wgmma's: three warpgroups. */
const HOPPER_THREADS = 384;
/** How wide its tiles may be, and what a block shares then. */
const HOPPER_TILES = [160, 256] as const;
const GATED_TILE = 256;

const PRODUCT: readonly Parameter[] = [
  ...pointers(5),
  ...new Array<Parameter>(6).fill("i32"),
];

/** The operators of products in 8 bits, for graphs that compute in a type. */
export function int8Operators(type: KernelType, kernels: () => CudaKernels): readonly Operator[] {
  const quantizeRows: Operator = {
    name: "QuantizeRows",
    inputs: [type],
    outputs: ["int8", "float32"],
    kernel: () => {
      const quantize = rowQuantizer(kernels(), type);
      return (context) => {
        const { address: x, dims } = context.input(0);
        const width = dims.at(-1)!;
        const rows = elementCount(dims) / width;
        const values = context.output(0, valueDims(rows, width));
        const scales = context.output(1, dims.slice(0, -1));
        const paddedRows = paddedCount(rows);
        const order = { first: 0, run: rows, stride: rows };
        quantize(context.stream(), { x, values, scales, rows, width, paddedRows, ...order });
      };
    },
  };

  const normAddNormInt8: Operator = {
    name: "NormAddNormInt8",
    inputs: [type, type, type, type],
    outputs: [type, "int8", "float32"],
    kernel: (attributes) => {
      const launch = kernels().kernel("norm_add_norm_int8", type, [
        ...pointers(7),
        "i32",
        "i32",
        "f32",
      ], { module: "int8" });
      const epsilon = attributes.float("epsilon");
      return (context) => {
        const { address, dims } = context.input(0);
        const width = dims.at(-1)!;
        const rows = elementCount(dims) / width;
        const threads = wholeWarps(width / VECTOR_VALUES);
        const places = [1, 2, 3].map((index) => context.address(index));
        const sum = context.output(0, dims);
        const values = context.output(1, valueDims(rows, width));
        const scales = context.output(2, dims.slice(0, -1));
        const numbers = [width, paddedCount(rows), epsilon];
        const outputs = [sum, values, scales];
        launch(context.stream(), rows, threads, [address, ...places, ...outputs, ...numbers]);
      };
    },
  };

  /** A product with a matrix; `isGated`: of two matrices, of which one opens and shuts the other. */
  const product = (name: string, kernel: string, isGated: boolean): Operator => ({
    name,
    inputs: ["int8", "float32"],
    outputs: [type],
    kernel: (attributes, matrices) => {
      const { values, scales, rows: columns, paddedRows: paddedColumns } =
        matrices[attributes.int("matrix")]!;
      const multiply = productKernel(kernels(), kernel, { type, isGated });
      const width = isGated ? columns / 2 : columns;
      return (context) => {
        const { address, dims: [runs, paddedRows] } = context.input(0);
        const { address: rowScales, dims } = context.input(1);
        const out = context.output(0, [...dims, width]);
        multiply(context.stream(), {
          places: [address, rowScales, values, scales, out],
          rows: elementCount(dims),
          paddedRows: paddedRows!,
          columns,
          paddedColumns,
          runs: runs!,
        });
      };
    },
  });

  const matrixProduct: Operator = {
    name: "Int8MatrixProduct",
    inputs: [type],
    outputs: [type],
    kernel: (attributes, matrices) => {
      const own = kernels();
      const { values, scales, rows: width, columns: inner, paddedRows } =
        matrices[attributes.int("matrix")]!;
      const restore = own.kernel("restore_rows", type, [
        ...pointers(3),
        "i32",
        "i32",
      ], { module: "int8" });
      return (context) => {
        const { address: x, dims } = context.input(0);
        const result = context.output(0, [...dims.slice(0, -1), width]);
        const stream = context.stream();
        const matrix = own.memory.scratch(width * inner * VALUE_BYTES);
        const threads = Math.min(THREADS, wholeWarps(inner / VECTOR_VALUES));
        restore(stream, width, threads, [values, scales, matrix, inner, paddedRows]);
        const rows = elementCount(dims) / inner;
        own.product(type, stream, { rows, width, inner }, { x, matrix, result });
      };
    },
  };

  return [
    quantizeRows,
    normAddNormInt8,
    matrixProduct,
    product("Int8Product", "int8_product", false),
    product("Int8GatedProduct", "int8_gated_product", true),
  ];
}

/** A product of a matrix [rows, runs · 128] with the transpose of one [columns, runs · 128]. */
interface Int8Product {
  /** The rows, their scales, the matrix, the scales of its rows, the product. */
  readonly places: readonly bigint[];
  readonly rows: number;
  readonly paddedRows: number;
  readonly columns: number;
  readonly paddedColumns: number;
  readonly runs: number;
}

type Multiply = (stream: bigint, product: Int8Product) => void;

/** The kernel of a product: on Hopper by tensor-core instructions that no other GPU has. */
function productKernel(
  kernels: CudaKernels,
  name: string,
  { type, isGated }: { readonly type: KernelType; readonly isGated: boolean },
): Multiply {
  if (kernels.isHopper) return hopperKernel(kernels, name, { type, isGated });
  const launch = kernels.kernel(name, type, PRODUCT, { module: "int8", shared: SHARED });
  return (stream, product) => {
    const blocks = tilesOf(product, TILE);
    launch(stream, blocks, THREADS, [...product.places, ...numbersOf(product)]);
  };
}

function hopperKernel(
  kernels: CudaKernels,
  name: string,
  { type, isGated }: { readonly type: KernelType; readonly isGated: boolean },
): Multiply {
  const { multiprocessors } = kernels;
  const launches = new Map<number, Launch>();
  return (stream, product) => {
    // Each multiprocessor takes one tile after another: the last round should leave few without one.
    const time = (width: number) => Math.ceil(tilesOf(product, width) / multiprocessors) * width;
    const width = isGated ? GATED_TILE : HOPPER_TILES.toSorted((a, b) => time(a) - time(b))[0]!;
    const shared = sharedOnHopper(width, isGated);
    const launch = launches.get(width) ??
      kernels.kernel(`${name}_${width}`, type, PRODUCT, { module: "hopper_int8", shared });
    launches.set(width, launch);
    const blocks = Math.min(multiprocessors, tilesOf(product, width));
    launch(stream, blocks, HOPPER_THREADS, [...product.places, ...numbersOf(product)]);
  };
}

/** As hopper_int8.cu's `Shape` has it, and what the first stage needs to begin at a multiple of 1024. */
function sharedOnHopper(width: number, isGated: boolean): number {
  const stages = width > 192 ? 3 : 4;
  const pitch = 2 * (isGated ? width / 2 : width) + 16;
  const scales = 2 * 4 * width;
  return stages * (TILE + width) * RUN_VALUES + TILE * pitch + scales + 1024;
}

function tilesOf({ rows, columns }: Int8Product, width: number): number {
  return Math.ceil(rows / TILE) * Math.ceil(columns / width);
}

/** The numbers that a kernel takes after its places. */
function numbersOf({ rows, paddedRows, columns, paddedColumns, runs }: Int8Product) {
  const down = Math.ceil(rows / TILE);
  const band = Math.ceil(down / Math.max(1, Math.round(down / BAND)));
  return [rows, paddedRows, columns, paddedColumns, runs, band];
}

/** The least whole warps of so many threads. */
function wholeWarps(threads: number): number {
  return WARP_THREADS * Math.ceil(threads / WARP_THREADS);
}

/** Rows in 8 bits lie run by run; a tile reads all of its rows. */
function valueDims(rows: number, width: number): readonly number[] {
  return [Math.ceil(width / RUN_VALUES), paddedCount(rows), RUN_VALUES];
}

function paddedCount(rows: number): number {
  return Math.ceil(rows / TILE) * TILE;
}
