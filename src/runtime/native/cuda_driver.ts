/**
 * The few functions of CUDA's driver and of cuBLAS that are needed beside ONNX Runtime.
 *
 * @module
 */
import { posix } from "node:path";
import { CUDA_PROVIDER_FILES } from "../binding_folder.ts";

const FUNCTIONS = {
  cuModuleLoadData: { parameters: ["buffer", "buffer"], result: "i32" },
  cuModuleGetFunction: { parameters: ["buffer", "u64", "buffer"], result: "i32" },
  cuLaunchKernel: {
    parameters: [
      "u64",
      "u32",
      "u32",
      "u32",
      "u32",
      "u32",
      "u32",
      "u32",
      "u64",
      "buffer",
      "pointer",
    ],
    result: "i32",
  },
  cuFuncSetAttribute: { parameters: ["u64", "i32", "i32"], result: "i32" },
  cuTensorMapEncodeTiled: {
    parameters: [
      "u64", // where it is to be
      "i32", // type
      "u32", // rank
      "u64", // the tensor
      "buffer", // extents, innermost first
      "buffer", // bytes from one to the next, of all but the innermost
      "buffer", // extents of a tile
      "buffer", // strides within
      "i32", // interleaving
      "i32", // swizzle
      "i32", // what the second cache fetches
      "i32", // what is outside
    ],
    result: "i32",
  },
  cudaSetDevice: { parameters: ["i32"], result: "i32" },
  cuCtxGetDevice: { parameters: ["buffer"], result: "i32" },
  cuDeviceGetAttribute: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  cuMemAlloc_v2: { parameters: ["buffer", "usize"], result: "i32" },
  cuMemFree_v2: { parameters: ["u64"], result: "i32" },
  cuMemAllocHost_v2: { parameters: ["buffer", "usize"], result: "i32" },
  cuMemFreeHost: { parameters: ["u64"], result: "i32" },
  cuStreamCreate: { parameters: ["buffer", "u32"], result: "i32" },
  cuStreamDestroy_v2: { parameters: ["u64"], result: "i32" },
  cuStreamSynchronize: { parameters: ["u64"], result: "i32" },
  cuCtxSynchronize: { parameters: [], result: "i32" },
  cuMemGetInfo_v2: { parameters: ["buffer", "buffer"], result: "i32" },
  cuMemcpyHtoD_v2: { parameters: ["u64", "buffer", "usize"], result: "i32" },
  cuMemcpyHtoDAsync_v2: { parameters: ["u64", "u64", "usize", "u64"], result: "i32" },
  cuMemcpyDtoH_v2: { parameters: ["buffer", "u64", "usize"], result: "i32" },
  cuMemcpyDtoDAsync_v2: { parameters: ["u64", "u64", "usize", "u64"], result: "i32" },
  cublasCreate_v2: { parameters: ["buffer"], result: "i32" },
  cublasSetStream_v2: { parameters: ["u64", "u64"], result: "i32" },
  cublasGemmStridedBatchedEx: {
    parameters: [
      "u64", // handle
      "i32", // whether A is transposed
      "i32", // whether B is
      "i32", // m
      "i32", // n
      "i32", // k
      "buffer", // alpha
      "u64", // A
      "i32", // its type
      "i32", // its leading dimension
      "i64", // from one of the batch to the next
      "u64", // B
      "i32",
      "i32",
      "i64",
      "buffer", // beta
      "u64", // C
      "i32",
      "i32",
      "i64",
      "i32", // batch
      "i32", // type of arithmetic
      "i32", // algorithm
    ],
    result: "i32",
  },
  cuGetErrorString: { parameters: ["i32", "buffer"], result: "i32" },
} as const;

/** CUDA's driver for one GPU, on a thread where ONNX Runtime uses CUDA already. */
export interface CudaDriver {
  /**
   * Whoever takes the functions makes the GPU the one that this thread's calls are for: take them
   * anew where something else may have run in between.
   */
  readonly functions: Deno.DynamicLibrary<typeof FUNCTIONS>["symbols"];
  /** @throws {Error} With the driver's words, when a status says that something went wrong. */
  readonly check: (status: number, doing: string) => void;
}

let library: Deno.DynamicLibrary<typeof FUNCTIONS>["symbols"] | undefined;
const opened = new Map<number, CudaDriver>();

/**
 * Opens the driver and cuBLAS; they stay so until the program ends. The CUDA provider needs their
 * libraries, so the functions are found through the provider: they are the very ones that ONNX Runtime
 * calls, wherever the system keeps them.
 *
 * @param folder Where the provider lies.
 * @param deviceId The GPU's number among those that CUDA shows to this program.
 * @throws {Error} When it cannot be opened.
 */
export function openCudaDriver(folder: string, deviceId = 0): CudaDriver {
  const known = opened.get(deviceId);
  if (known !== undefined) return known;
  library ??= Deno.dlopen(posix.join(folder, CUDA_PROVIDER_FILES[0]), FUNCTIONS).symbols;
  const driver = driverOf(library, deviceId);
  opened.set(deviceId, driver);
  return driver;
}

function driverOf(
  functions: Deno.DynamicLibrary<typeof FUNCTIONS>["symbols"],
  deviceId: number,
): CudaDriver {
  return {
    get functions() {
      // What is wrong with a GPU, the call that follows says.
      functions.cudaSetDevice(deviceId);
      return functions;
    },
    check: (status, doing) => {
      if (status === 0) return;
      const place = new BigUint64Array(1);
      functions.cuGetErrorString(status, place);
      const words = Deno.UnsafePointer.create(place[0]!);
      const reason = words === null ? `error ${status}` : Deno.UnsafePointerView.getCString(words);
      throw new Error(`CUDA could not ${doing}: ${reason}`);
    },
  };
}
