import { RUN_VALUES, VECTOR_VALUES, WARP_THREADS } from "../onnx/mod.ts";
import { type CudaKernels, type KernelType, type Launch, pointers } from "./cuda_kernels.ts";

/** Threads of the largest block over rows of float32, each with up to four vectors of a row. */
const MOST_THREADS = 512;
/** How many values of 16 bits a warp takes. */
const WARP_VALUES = 1024;

/** What is quantised; addresses on the GPU. */
export interface QuantizedRows {
  /** [rows, width] */
  readonly x: bigint;
  readonly values: bigint;
  readonly scales: bigint;
  readonly rows: number;
  readonly width: number;
  /** How many rows there is room for in `values`. */
  readonly paddedRows: number;
  /** Row r becomes row r / run · stride + r % run + first. */
  readonly first: number;
  readonly run: number;
  readonly stride: number;
}

const made = new WeakMap<CudaKernels, Map<string, Launch>>();

/** The kernel that rounds rows to 8 bits, for what their values are. */
export function rowQuantizer(
  kernels: CudaKernels,
  type: KernelType | "float32",
): (stream: bigint, rows: QuantizedRows) => void {
  const known = made.get(kernels) ?? new Map<string, Launch>();
  made.set(kernels, known);
  const launch = known.get(type) ??
    kernels.kernel("quantize_rows", type, [...pointers(3), ...NUMBERS], { module: "int8" });
  known.set(type, launch);
  return (stream, { x, values, scales, rows, width, paddedRows, first, run, stride }) => {
    const padded = Math.ceil(width / RUN_VALUES) * RUN_VALUES;
    const threads = type === "float32"
      ? threadsOfVectors(padded / VECTOR_VALUES)
      : Math.ceil(padded / WARP_VALUES) * WARP_THREADS;
    launch(stream, rows, threads, [x, values, scales, width, paddedRows, first, run, stride]);
  };
}

function threadsOfVectors(vectors: number): number {
  const each = Math.ceil(vectors / MOST_THREADS);
  return Math.ceil(vectors / each / WARP_THREADS) * WARP_THREADS;
}

const NUMBERS = ["i32", "i32", "i32", "i32", "i32"] as const;
