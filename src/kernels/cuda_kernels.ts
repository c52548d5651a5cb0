/**
 * What the operators of a GPU are made of: the kernels of this folder, and cuBLAS.
 *
 * @module
 */
import { addressOf, cString } from "../runtime/native/c_api.ts";
import type { CudaDriver } from "../runtime/native/cuda_driver.ts";
import { DeviceMemory } from "./device_memory.ts";
import { assemblyOf, type KernelModule, machineCodeOf } from "./kernel_code.ts";

/** The types that the kernels exist for, and how their names end. */
const ENDING = { bfloat16: "bf16", float16: "f16", float32: "f32" } as const;
/** One of the types in which they compute; some read float32, too. */
export type KernelType = Exclude<keyof typeof ENDING, "float32">;

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

/** `CU_DEVICE_ATTRIBUTE_…` and `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`. */
const MULTIPROCESSORS = 16;
const CAPABILITY_MAJOR = 75;
const CAPABILITY_MINOR = 76;
const SHARED_BYTES = 8;
/** Its compute capability. */
const HOPPER = "9.0";

/** What a kernel takes: addresses, numbers, and what {@linkcode CudaKernels.tensorMap} gives. */
export type Parameter = "pointer" | "i32" | "i64" | "f32" | "map";

/** So many addresses. */
export function pointers(count: number): Parameter[] {
  return new Array<Parameter>(count).fill("pointer");
}

/** Threads of a block, where a kernel leaves the choice. */
export const BLOCK = 256;

/** Starts a kernel on a stream, over so many blocks of so many threads. */
export type Launch = (
  stream: bigint,
  blocks: number,
  threads: number,
  values: readonly (bigint | number)[],
) => void;

/** A matrix as Hopper's copy engine knows it. */
export interface TensorMap {
  readonly address: bigint;
  /** What holds it. */
  readonly buffer: Uint8Array;
}

/** Of `CUtensorMap`, and of what describes one: `CU_TENSOR_MAP_…`. */
const TENSOR_MAP_BYTES = 128;
const TENSOR_MAP_ALIGNMENT = 64;
const TENSOR_MAP_TYPE: Readonly<Record<KernelType, number>> = { float16: 6, bfloat16: 9 };
const NOT_INTERLEAVED = 0;
const SWIZZLED_BY_64_BYTES = 2;
const SWIZZLED_BY_128_BYTES = 3;
const FETCHED_BY_128_BYTES = 2;
const ZEROS_OUTSIDE = 0;
/** Values of a head that lie together in shared memory: 64 bytes. */
const HEAD_PART = 32;
/** Tiles of 128 bytes across. */
const TILE_COLUMNS = 64;
const TILE_ROWS = 128;

/** Heads side by side in rows. */
export interface Heads {
  /** Where the first value of the first is. */
  readonly address: bigint;
  readonly tokens: number;
  readonly heads: number;
  /** A multiple of 32. */
  readonly headDim: number;
  /** Values from a row to the next, a multiple of 8. */
  readonly rowValues: number;
  /** Tokens that are read at once, at most 256. */
  readonly boxTokens: number;
}

/** What a tensor map says. */
interface Tiled {
  readonly type: KernelType;
  /** From the innermost on. */
  readonly dims: readonly number[];
  /** From one to the next, of all but the innermost. */
  readonly strideBytes: readonly number[];
  readonly box: readonly number[];
  readonly swizzle: number;
}

/** The sizes of a product: x is [rows, inner], a matrix [width, inner]. */
export interface ProductSizes {
  readonly rows: number;
  readonly width: number;
  readonly inner: number;
}

const loaded = new WeakMap<CudaDriver, CudaKernels>();

/** The kernels, each file loaded when the first of its kernels is asked for; they stay until the program ends. */
export class CudaKernels {
  /** For what kernels need beside their inputs and outputs. */
  readonly memory: DeviceMemory;
  readonly #driver: CudaDriver;
  readonly #modules = new Map<KernelModule, bigint>();
  readonly #blas: bigint;
  readonly #capability: string;
  /** How many multiprocessors the GPU has. */
  readonly multiprocessors: number;
  /** Whether it is one of Hopper's, whose tensor cores have instructions of their own. */
  readonly isHopper: boolean;

  private constructor(driver: CudaDriver) {
    const { functions, check } = driver;
    this.memory = new DeviceMemory(driver);
    this.#driver = driver;
    const number = new Int32Array(1);
    check(functions.cuCtxGetDevice(number), "name its device");
    const [device] = number as unknown as [number];
    this.multiprocessors = attributeOf(driver, device, MULTIPROCESSORS);
    this.#capability = capabilityOf(driver, device);
    this.isHopper = this.#capability === HOPPER;
    this.#module("kernels");
    const place = new BigUint64Array(1);
    checkBlas(functions.cublasCreate_v2(place), "start");
    this.#blas = place[0]!;
  }

  /** @throws {Error} When the kernels cannot be loaded: the GPU or its driver is too old. */
  static of(driver: CudaDriver): CudaKernels {
    let kernels = loaded.get(driver);
    if (kernels === undefined) loaded.set(driver, kernels = new CudaKernels(driver));
    return kernels;
  }

  /**
   * A kernel by its name in a module, less the type.
   *
   * @param options How many bytes a block's threads share, where its start decides that.
   */
  kernel(
    name: string,
    type: KernelType | "float32",
    parameters: readonly Parameter[],
    { module = "kernels", shared = 0 }: {
      readonly module?: KernelModule;
      readonly shared?: number;
    } = {},
  ): Launch {
    const { functions, check } = this.#driver;
    const place = new BigUint64Array(1);
    const symbol = cString(`${name}_${ENDING[type]}`);
    const handle = this.#module(module);
    check(functions.cuModuleGetFunction(place, handle, symbol), `find ${name}`);
    const kernel = place[0]!;
    if (shared > 0) {
      check(functions.cuFuncSetAttribute(kernel, SHARED_BYTES, shared), `prepare ${name}`);
    }
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
        if (parameter === "map") {
          table[index] = BigInt(value);
          return;
        }
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
        shared,
        stream,
        table,
        null,
      );
      check(status, `start ${name}`);
    };
  }

  /** Machine code where there is some for this GPU and its driver takes it; otherwise it translates. */
  #module(name: KernelModule): bigint {
    let handle = this.#modules.get(name);
    if (handle === undefined) {
      const { functions, check } = this.#driver;
      const place = new BigUint64Array(1);
      const code = machineCodeOf(name, this.#capability);
      if (code === undefined || functions.cuModuleLoadData(place, code) !== 0) {
        const assembly = cString(assemblyOf(name));
        check(functions.cuModuleLoadData(place, assembly), "load the toolkit's kernels");
      }
      this.#modules.set(name, handle = place[0]!);
    }
    return handle;
  }

  /**
   * Describes a matrix [rows, columns] of bfloat16 on the GPU, as a kernel reads it in tiles of
   * 128 × 64 values; `columns` is a multiple of 8.
   *
   * @returns Where the description is; it must be kept for as long as it is used.
   */
  tensorMap(matrix: bigint, rows: number, columns: number): TensorMap {
    return this.#tiled(matrix, {
      type: "bfloat16",
      dims: [columns, rows],
      strideBytes: [columns * VALUE_BYTES],
      box: [TILE_COLUMNS, TILE_ROWS],
      swizzle: SWIZZLED_BY_128_BYTES,
    });
  }

  /**
   * Describes heads [tokens, heads, headDim] on the GPU, as a kernel reads one of them: 32 values of all
   * tokens at once, then the next 32. Tokens beyond the last are zeros.
   *
   * @returns Where the description is; it must be kept for as long as it is used.
   */
  headsMap(type: KernelType, heads: Heads): TensorMap {
    const { address, tokens, headDim, rowValues, boxTokens } = heads;
    const parts = headDim / HEAD_PART;
    return this.#tiled(address, {
      type,
      dims: [HEAD_PART, tokens, parts * heads.heads],
      strideBytes: [rowValues * VALUE_BYTES, HEAD_PART * VALUE_BYTES],
      box: [HEAD_PART, boxTokens, parts],
      swizzle: SWIZZLED_BY_64_BYTES,
    });
  }

  #tiled(tensor: bigint, { type, dims, strideBytes, box, swizzle }: Tiled): TensorMap {
    const { functions, check } = this.#driver;
    const buffer = new Uint8Array(TENSOR_MAP_BYTES + TENSOR_MAP_ALIGNMENT);
    const start = addressOf(buffer);
    const address = start + -start % BigInt(TENSOR_MAP_ALIGNMENT) + BigInt(TENSOR_MAP_ALIGNMENT);
    const status = functions.cuTensorMapEncodeTiled(
      address,
      TENSOR_MAP_TYPE[type],
      dims.length,
      tensor,
      BigUint64Array.from(dims, BigInt),
      BigUint64Array.from(strideBytes, BigInt),
      Uint32Array.from(box),
      new Uint32Array(dims.length).fill(1),
      NOT_INTERLEAVED,
      swizzle,
      FETCHED_BY_128_BYTES,
      ZEROS_OUTSIDE,
    );
    check(status, "describe a matrix");
    return { address, buffer };
  }

  /** x · matrixᵀ. */
  product(
    type: KernelType,
    stream: bigint,
    { rows, width, inner }: ProductSizes,
    { x, matrix, result }: Readonly<Record<"x" | "matrix" | "result", bigint>>,
  ): void {
    this.#multiply(type, stream, {
      rows,
      width,
      inner,
      count: 1,
      matrix,
      matrixStride: 0n,
      x,
      xStride: 0n,
      result,
      factor: 1,
      isAdded: false,
    });
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
   * behind the other are a batch, whose stride is the distance between them: the first must lie
   * before the second.
   */
  productOfBoth(
    type: KernelType,
    stream: bigint,
    { rows, width, inner }: ProductSizes,
    places: Readonly<Record<"x" | "first" | "second" | "products", bigint>>,
  ): void {
    const { x, first, second, products } = places;
    this.#multiply(type, stream, {
      rows,
      width,
      inner,
      count: 2,
      matrix: first,
      matrixStride: (second - first) / BigInt(VALUE_BYTES),
      x,
      xStride: 0n,
      result: products,
      factor: 1,
      isAdded: false,
    });
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

/** Whether a GPU, by its number, is one of Hopper's. */
export function isHopper(driver: CudaDriver, device: number): boolean {
  return capabilityOf(driver, device) === HOPPER;
}

function capabilityOf(driver: CudaDriver, device: number): string {
  const [major, minor] = [CAPABILITY_MAJOR, CAPABILITY_MINOR]
    .map((attribute) => attributeOf(driver, device, attribute));
  return `${major}.${minor}`;
}

function attributeOf({ functions, check }: CudaDriver, device: number, attribute: number): number {
  const number = new Int32Array(1);
  check(functions.cuDeviceGetAttribute(number, attribute, device), "describe its device");
  return number[0]!;
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
