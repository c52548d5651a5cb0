/**
 * The project's own operators on a GPU: kernels.cu, as kernels.ptx, by CUDA's driver interface.
 *
 * @module
 */
import { OWN_DOMAIN } from "../onnx/mod.ts";
import { addressOf, cString } from "../runtime/c_api.ts";
import { type CudaDriver, openCudaDriver } from "../runtime/cuda_driver.ts";
import type { Operator, OperatorSet } from "../runtime/operators.ts";
import { elementCount } from "../tensor.ts";
import ptx from "./kernels.ptx" with { type: "text" };

/** The types that the kernels exist for, and how their names end. */
const ENDING = { bfloat16: "bf16", float16: "f16" } as const;
/** One of those types. */
export type KernelType = keyof typeof ENDING;

/** Values of 16 bits in 16 bytes, which is what a thread reads at once. */
const VECTOR = 8;
const HALF_BYTES = 2;
const WARP = 32;
/** Threads of a block, where a kernel leaves the choice. */
const BLOCK = 256;

/**
 * The operators for graphs that compute in a type.
 *
 * @param folder Where the CUDA provider lies: the driver is found through it.
 */
export function cudaOperators(type: KernelType, folder: string): OperatorSet {
  const kernel = (name: string, parameters: readonly Parameter[]) =>
    cudaKernel(folder, `${name}_${ENDING[type]}`, parameters);

  const normAddNorm: Operator = {
    name: "NormAddNorm",
    inputs: [type, type, type, type],
    outputs: [type, type],
    kernel: (attributes) => {
      const launch = kernel("norm_add_norm", [
        ...pointers(6),
        "i32",
        "f32",
      ]);
      const epsilon = attributes.float("epsilon");
      return (context) => {
        const { address, dims } = context.input(0);
        const width = dims.at(-1)!;
        const threads = WARP * Math.ceil(width / VECTOR / WARP);
        const places = [1, 2, 3].map((index) => context.address(index));
        const outputs = [0, 1].map((index) => context.output(index, dims));
        const blocks = elementCount(dims) / width;
        launch(context.stream(), blocks, threads, [address, ...places, ...outputs, width, epsilon]);
      };
    },
  };

  const splitHeads: Operator = {
    name: "SplitHeads",
    inputs: [type, type, type, "float32", "float32"],
    outputs: [type, type, type],
    kernel: (attributes) => {
      const launch = kernel("split_heads", [
        ...pointers(8),
        "i32",
        "i32",
        "i32",
        "i32",
        "f32",
      ]);
      const heads = attributes.int("num_heads");
      const keyValueHeads = attributes.int("kv_num_heads");
      const epsilon = attributes.float("epsilon");
      const allHeads = heads + 2 * keyValueHeads;
      return (context) => {
        const { address, dims: [batch, tokens, width] } = context.input(0);
        const headDim = width! / allHeads;
        const places = [1, 2, 3, 4].map((index) => context.address(index));
        const dims = [batch!, tokens!, heads * headDim];
        const outputs = [0, 1, 2].map((index) => context.output(index, dims));
        const blocks = Math.ceil(tokens! * allHeads * WARP / BLOCK);
        const sizes = [tokens!, heads, keyValueHeads, headDim, epsilon];
        launch(context.stream(), blocks, BLOCK, [address, ...places, ...outputs, ...sizes]);
      };
    },
  };

  const swiglu: Operator = {
    name: "SwiGLU",
    inputs: [type, type],
    outputs: [type],
    kernel: () => {
      const launch = kernel("swiglu", [...pointers(3), "i64"]);
      return (context) => {
        const { address, dims } = context.input(0);
        const vectors = elementCount(dims) / VECTOR;
        const places = [address, context.address(1), context.output(0, dims)];
        launch(context.stream(), Math.ceil(vectors / BLOCK), BLOCK, [...places, BigInt(vectors)]);
      };
    },
  };

  const twoProducts: Operator = {
    name: "TwoProducts",
    inputs: [type, type, type],
    outputs: [type],
    kernel: () => {
      const multiply = productOfBoth(folder, type);
      return (context) => {
        const { address: x, dims } = context.input(0);
        const { address: first, dims: [width, inner] } = context.input(1);
        const rows = elementCount(dims) / inner!;
        const products = context.output(0, [2, ...dims.slice(0, -1), width!]);
        const places = { x, first, second: context.address(2), products };
        multiply(context.stream(), { rows, width: width!, inner: inner! }, places);
      };
    },
  };

  const pairSwiglu: Operator = {
    name: "PairSwiGLU",
    inputs: [type],
    outputs: [type],
    kernel: () => {
      const launch = kernel("swiglu", [...pointers(3), "i64"]);
      return (context) => {
        const { address, dims: [, ...dims] } = context.input(0);
        const count = elementCount(dims);
        const vectors = count / VECTOR;
        const value = address + BigInt(count * HALF_BYTES);
        const places = [address, value, context.output(0, dims)];
        launch(context.stream(), Math.ceil(vectors / BLOCK), BLOCK, [...places, BigInt(vectors)]);
      };
    },
  };

  return {
    domain: OWN_DOMAIN,
    operators: [normAddNorm, splitHeads, swiglu, twoProducts, pairSwiglu],
  };
}

/** `cudaDataType_t`. */
const CUDA_DATA_TYPE: Readonly<Record<KernelType, number>> = { float16: 2, bfloat16: 14 };
/** Of cuBLAS: `CUBLAS_OP_N`, `CUBLAS_OP_T`, `CUBLAS_COMPUTE_32F`, `CUBLAS_GEMM_DEFAULT`. */
const AS_IS = 0;
const TRANSPOSED = 1;
const IN_FLOAT32 = 68;
const ANY_ALGORITHM = -1;

let blas: bigint | undefined;

/**
 * x · firstᵀ and x · secondᵀ, one after the other in memory: to cuBLAS, matrices that lie one behind
 * the other are a batch, whose stride is the distance between them.
 */
function productOfBoth(folder: string, type: KernelType) {
  const { functions } = openCudaDriver(folder);
  const check = (status: number, doing: string) => {
    if (status !== 0) throw new Error(`cuBLAS could not ${doing}: status ${status}`);
  };
  if (blas === undefined) {
    const place = new BigUint64Array(1);
    check(functions.cublasCreate_v2(place), "start");
    blas = place[0]!;
  }
  const handle = blas;
  const dataType = CUDA_DATA_TYPE[type];
  const one = Float32Array.of(1);
  const zero = Float32Array.of(0);
  return (
    stream: bigint,
    sizes: { readonly rows: number; readonly width: number; readonly inner: number },
    places: Readonly<Record<"x" | "first" | "second" | "products", bigint>>,
  ) => {
    const { rows, width, inner } = sizes;
    const { x, first, second, products } = places;
    check(functions.cublasSetStream_v2(handle, stream), "take a stream");
    // cuBLAS counts by columns: to it, rows are columns and the matrices come first.
    const multiply = (matrix: bigint, distance: bigint, result: bigint, count: number) => {
      const status = functions.cublasGemmStridedBatchedEx(
        handle,
        TRANSPOSED,
        AS_IS,
        width,
        rows,
        inner,
        one,
        matrix,
        dataType,
        inner,
        distance,
        x,
        dataType,
        inner,
        0n,
        zero,
        result,
        dataType,
        width,
        BigInt(rows * width),
        count,
        IN_FLOAT32,
        ANY_ALGORITHM,
      );
      check(status, "multiply");
    };
    if (first < second) {
      multiply(first, (second - first) / BigInt(HALF_BYTES), products, 2);
    } else {
      multiply(first, 0n, products, 1);
      multiply(second, 0n, products + BigInt(rows * width * HALF_BYTES), 1);
    }
  };
}

/** What a kernel takes: addresses and numbers. */
type Parameter = "pointer" | "i32" | "i64" | "f32";

function pointers(count: number): Parameter[] {
  return new Array<Parameter>(count).fill("pointer");
}

/** Starts a kernel on a stream, over so many blocks of so many threads. */
type Launch = (
  stream: bigint,
  blocks: number,
  threads: number,
  values: readonly (bigint | number)[],
) => void;

const PARAMETER_BYTES = 8;

/** @throws {Error} When the kernels cannot be loaded: the GPU or its driver is too old. */
function cudaKernel(folder: string, name: string, parameters: readonly Parameter[]): Launch {
  const driver = openCudaDriver(folder);
  const { functions, check } = driver;
  const place = new BigUint64Array(1);
  const module = loadModule(driver);
  check(functions.cuModuleGetFunction(place, module, cString(name)), `find ${name}`);
  const function_ = place[0]!;
  const slots = new DataView(new ArrayBuffer(parameters.length * PARAMETER_BYTES));
  const base = addressOf(slots);
  const table = BigUint64Array.from(
    parameters,
    (_, index) => base + BigInt(index * PARAMETER_BYTES),
  );
  return (stream, blocks, threads, values) => {
    parameters.forEach((parameter, index) => {
      const at = index * PARAMETER_BYTES;
      const value = values[index]!;
      if (parameter === "f32") slots.setFloat32(at, Number(value), true);
      else if (parameter === "i32") slots.setInt32(at, Number(value), true);
      else slots.setBigUint64(at, BigInt(value), true);
    });
    const status = functions.cuLaunchKernel(
      function_,
      blocks,
      1,
      1,
      threads,
      1,
      1,
      0,
      stream,
      table,
      null,
    );
    check(status, `start ${name}`);
  };
}

let loaded: bigint | undefined;

/** The kernels, translated for the GPU by its driver; they stay until the program ends. */
function loadModule({ functions, check }: CudaDriver): bigint {
  if (loaded !== undefined) return loaded;
  const place = new BigUint64Array(1);
  check(functions.cuModuleLoadData(place, cString(ptx)), "load the toolkit's kernels");
  return loaded = place[0]!;
}
