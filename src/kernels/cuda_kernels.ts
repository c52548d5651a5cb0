/**
 * What the operators of a GPU are made of: the kernels of kernels.ptx, and cuBLAS.
 *
 * @module
 */
import { addressOf, cString } from "../runtime/native/c_api.ts";
import type { CudaDriver } from "../runtime/native/cuda_driver.ts";
import ptx from "./kernels.ptx" with { type: "text" };

/** The types that the kernels exist for, and how their names end. */
const ENDING = { bfloat16: "bf16", float16: "f16" } as const;
/** One of those types. */
export type KernelType = keyof typeof ENDING;

/** Bytes of a value of those types. */
export const VALUE_BYTES = 2;
const PARAMETER_BYTES = 8;

/** `cudaDataType_t`. */
const CUDA_DATA_TYPE: Readonly<Record<KernelType, number>> = { float16: 2, bfloat16: 14 };
/** Of cuBLAS: `CUBLAS_OP_N`, `CUBLAS_OP_T`, `CUBLAS_COMPUTE_32F`, `CUBLAS_GEMM_DEFAULT`. */
const AS_IS = 0;
const TRANSPOSED = 1;
const IN_FLOAT32 = 68;
const ANY_ALGORITHM = -1;

/** What a kernel takes: addresses and numbers. */
export type Parameter = "pointer" | "i32" | "i64" | "f32";

/** Starts a kernel on a stream, over so many blocks of so many threads. */
export type Launch = (
  stream: bigint,
  blocks: number,
  threads: number,
  values: readonly (bigint | number)[],
) => void;

/** The sizes of a product: x is [rows, inner], a matrix [width, inner]. */
export interface ProductSizes {
  readonly rows: number;
  readonly width: number;
  readonly inner: number;
}

const loaded = new WeakMap<CudaDriver, CudaKernels>();

/** The kernels, translated for a GPU by its driver; they stay until the program ends. */
export class CudaKernels {
  readonly #driver: CudaDriver;
  readonly #module: bigint;
  readonly #blas: bigint;

  private constructor(driver: CudaDriver) {
    const { functions, check } = driver;
    const place = new BigUint64Array(1);
    check(functions.cuModuleLoadData(place, cString(ptx)), "load the toolkit's kernels");
    this.#driver = driver;
    this.#module = place[0]!;
    checkBlas(functions.cublasCreate_v2(place), "start");
    this.#blas = place[0]!;
  }

  /** @throws {Error} When the kernels cannot be loaded: the GPU or its driver is too old. */
  static of(driver: CudaDriver): CudaKernels {
    let kernels = loaded.get(driver);
    if (kernels === undefined) loaded.set(driver, kernels = new CudaKernels(driver));
    return kernels;
  }

  /** A kernel by its name in kernels.cu, less the type. */
  kernel(name: string, type: KernelType, parameters: readonly Parameter[]): Launch {
    const { functions, check } = this.#driver;
    const place = new BigUint64Array(1);
    const symbol = cString(`${name}_${ENDING[type]}`);
    check(functions.cuModuleGetFunction(place, this.#module, symbol), `find ${name}`);
    const kernel = place[0]!;
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
        kernel,
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

  /** sum += factor · x · matrixᵀ, for each of several, all one after the other in memory. */
  addProducts(
    type: KernelType,
    stream: bigint,
    { rows, width, inner, count, factor }: AddedProducts,
    { x, matrix, sum }: Readonly<Record<"x" | "matrix" | "sum", bigint>>,
  ): void {
    this.#multiply(type, stream, {
      rows,
      width,
      inner,
      count,
      matrix,
      matrixStride: BigInt(width * inner),
      x,
      xStride: BigInt(rows * inner),
      result: sum,
      factor,
      isAdded: true,
    });
  }

  /** Copies on the GPU. */
  copy(stream: bigint, from: bigint, to: bigint, bytes: number): void {
    const { functions, check } = this.#driver;
    check(functions.cuMemcpyDtoDAsync_v2(to, from, BigInt(bytes), stream), "copy a product");
  }

  /**
   * x · firstᵀ and x · secondᵀ, one after the other in memory. To cuBLAS, matrices that lie one
   * behind the other are a batch, whose stride is the distance between them.
   */
  productOfBoth(
    type: KernelType,
    stream: bigint,
    { rows, width, inner }: ProductSizes,
    places: Readonly<Record<"x" | "first" | "second" | "products", bigint>>,
  ): void {
    const { x, first, second, products } = places;
    const multiply = (matrix: bigint, matrixStride: bigint, result: bigint, count: number) =>
      this.#multiply(type, stream, {
        rows,
        width,
        inner,
        count,
        matrix,
        matrixStride,
        x,
        xStride: 0n,
        result,
        factor: 1,
        isAdded: false,
      });
    if (first < second) {
      multiply(first, (second - first) / BigInt(VALUE_BYTES), products, 2);
    } else {
      multiply(first, 0n, products, 1);
      multiply(second, 0n, products + BigInt(rows * width * VALUE_BYTES), 1);
    }
  }

  /** result = factor · x · matrixᵀ, or that much more, for each of a batch. */
  #multiply(
    type: KernelType,
    stream: bigint,
    { rows, width, inner, count, factor, isAdded, ...places }: BatchedProduct,
  ): void {
    const { functions } = this.#driver;
    const { matrix, matrixStride, x, xStride, result } = places;
    const dataType = CUDA_DATA_TYPE[type];
    checkBlas(functions.cublasSetStream_v2(this.#blas, stream), "take a stream");
    // cuBLAS counts by columns: to it, rows are columns and the matrices come first.
    const status = functions.cublasGemmStridedBatchedEx(
      this.#blas,
      TRANSPOSED,
      AS_IS,
      width,
      rows,
      inner,
      Float32Array.of(factor),
      matrix,
      dataType,
      inner,
      matrixStride,
      x,
      dataType,
      inner,
      xStride,
      isAdded ? ONE : ZERO,
      result,
      dataType,
      width,
      BigInt(rows * width),
      count,
      IN_FLOAT32,
      ANY_ALGORITHM,
    );
    checkBlas(status, "multiply");
  }
}

/** A product as cuBLAS is asked for it. Strides are in values, places are addresses. */
interface BatchedProduct extends AddedProducts {
  readonly matrix: bigint;
  readonly matrixStride: bigint;
  readonly x: bigint;
  readonly xStride: bigint;
  readonly result: bigint;
  /** Whether it is added to what is there. */
  readonly isAdded: boolean;
}

/** What {@linkcode CudaKernels.addProducts} adds. */
export interface AddedProducts extends ProductSizes {
  /** How many, one after the other in memory. */
  readonly count: number;
  readonly factor: number;
}

const ONE = Float32Array.of(1);
const ZERO = Float32Array.of(0);

/** @throws {Error} When cuBLAS says that something went wrong; it has no words for it. */
function checkBlas(status: number, doing: string): void {
  if (status !== 0) throw new Error(`cuBLAS could not ${doing}: status ${status}`);
}
