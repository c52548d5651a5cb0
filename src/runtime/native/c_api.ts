/**
 * ONNX Runtime's C interface, for what its JavaScript binding does not show: operators of one's own.
 * The library is the very one that the binding loads, which keeps its environment for both.
 *
 * @module
 */
import { ORT_LOG_LEVEL } from "../log_level.ts";
import "../no_telemetry.ts";
import { posix } from "node:path";

/** The version of the interface that is used; later versions only add functions. */
const ORT_API_VERSION = 18;
const POINTER_BYTES = 8;
/** `OrtArenaAllocator` and `OrtMemTypeDefault`. */
const ARENA_ALLOCATOR = 1;
const DEFAULT_MEMORY = 0;

/** A status is null or what went wrong; every handle is an address. */
const STATUS = "u64";
const HANDLE = "u64";
const HANDLES = "buffer";

/** The functions of `OrtApi` that are used, each with its place in that structure. */
const FUNCTIONS = {
  CreateStatus: at(0, ["i32", "buffer"], HANDLE),
  GetErrorMessage: at(2, [STATUS], "pointer"),
  CreateEnv: at(3, ["i32", "buffer", HANDLES], STATUS),
  CreateSessionFromArray: aside(8, [HANDLE, "buffer", "usize", HANDLE, HANDLES], STATUS),
  CreateSessionOptions: at(10, [HANDLES], STATUS),
  SetSessionLogSeverityLevel: at(22, [HANDLE, "i32"], STATUS),
  SetIntraOpNumThreads: at(24, [HANDLE, "i32"], STATUS),
  CreateCustomOpDomain: at(26, ["buffer", HANDLES], STATUS),
  CustomOpDomain_Add: at(27, [HANDLE, "buffer"], STATUS),
  AddCustomOpDomain: at(28, [HANDLE, HANDLE], STATUS),
  CreateRunOptions: at(39, [HANDLES], STATUS),
  CreateTensorAsOrtValue: at(48, [HANDLE, "buffer", "usize", "i32", HANDLES], STATUS),
  CreateTensorWithDataAsOrtValue: at(
    49,
    [HANDLE, "buffer", "usize", "buffer", "usize", "i32", HANDLES],
    STATUS,
  ),
  /** `CreateTensorWithDataAsOrtValue` over memory at an address, which may be a GPU's. */
  CreateTensorAt: at(49, [HANDLE, "u64", "usize", "buffer", "usize", "i32", HANDLES], STATUS),
  GetTensorMutableData: at(51, [HANDLE, HANDLES], STATUS),
  GetDimensionsCount: at(61, [HANDLE, "buffer"], STATUS),
  GetDimensions: at(62, [HANDLE, "buffer", "usize"], STATUS),
  GetTensorTypeAndShape: at(65, [HANDLE, HANDLES], STATUS),
  CreateMemoryInfo: at(68, ["buffer", "i32", "i32", "i32", HANDLES], STATUS),
  CreateCpuMemoryInfo: at(69, ["i32", "i32", HANDLES], STATUS),
  AllocatorFree: at(76, [HANDLE, HANDLE], STATUS),
  GetAllocatorWithDefaultOptions: at(78, [HANDLES], STATUS),
  KernelInfoGetAttribute_float: at(85, [HANDLE, "buffer", "buffer"], STATUS),
  KernelInfoGetAttribute_int64: at(86, [HANDLE, "buffer", "buffer"], STATUS),
  KernelContext_GetInput: at(90, [HANDLE, "usize", HANDLES], STATUS),
  KernelContext_GetOutput: at(91, [HANDLE, "usize", "buffer", "usize", HANDLES], STATUS),
  ReleaseStatus: at(93, [HANDLE], "void"),
  ReleaseSession: at(95, [HANDLE], "void"),
  ReleaseValue: at(96, [HANDLE], "void"),
  ReleaseRunOptions: at(97, [HANDLE], "void"),
  ReleaseTensorTypeAndShapeInfo: at(99, [HANDLE], "void"),
  ReleaseSessionOptions: at(100, [HANDLE], "void"),
  ReleaseCustomOpDomain: at(101, [HANDLE], "void"),
  AddSessionConfigEntry: at(130, [HANDLE, "buffer", "buffer"], STATUS),
  CreateAllocator: at(131, [HANDLE, HANDLE, HANDLES], STATUS),
  ReleaseAllocator: at(132, [HANDLE], "void"),
  RunWithBinding: at(133, [HANDLE, HANDLE, HANDLE], STATUS),
  CreateIoBinding: at(134, [HANDLE, HANDLES], STATUS),
  ReleaseIoBinding: at(135, [HANDLE], "void"),
  BindInput: at(136, [HANDLE, "buffer", HANDLE], STATUS),
  BindOutputToDevice: at(138, [HANDLE, "buffer", HANDLE], STATUS),
  GetBoundOutputValues: at(140, [HANDLE, HANDLE, HANDLES, HANDLES], STATUS),
  ClearBoundOutputs: at(142, [HANDLE], "void"),
  AddInitializer: at(150, [HANDLE, "buffer", HANDLE], STATUS),
  AddRunConfigEntry: at(165, [HANDLE, "buffer", "buffer"], STATUS),
  KernelContext_GetGPUComputeStream: at(193, [HANDLE, HANDLES], STATUS),
  SessionOptionsAppendExecutionProvider_CUDA_V2: at(204, [HANDLE, HANDLE], STATUS),
  StartCuda: aside(204, [HANDLE, HANDLE], STATUS),
  CreateCUDAProviderOptions: at(205, [HANDLES], STATUS),
  UpdateCUDAProviderOptions: at(206, [HANDLE, "buffer", "buffer", "usize"], STATUS),
  ReleaseCUDAProviderOptions: at(208, [HANDLE], "void"),
  AddExternalInitializersFromFilesInMemory: at(
    279,
    [HANDLE, "buffer", "buffer", "buffer", "usize"],
    STATUS,
  ),
} as const;

function at<
  const P extends readonly Deno.NativeType[],
  const R extends Deno.NativeResultType,
>(index: number, parameters: P, result: R) {
  return { index, definition: { parameters, result } };
}

/** The same for a function that another thread runs, while this one goes on. */
function aside<
  const P extends readonly Deno.NativeType[],
  const R extends Deno.NativeResultType,
>(index: number, parameters: P, result: R) {
  return { index, definition: { parameters, result, nonblocking: true } } as const;
}

type Functions = typeof FUNCTIONS;
type Api = {
  readonly [K in keyof Functions]: Deno.UnsafeFnPointer<Functions[K]["definition"]>["call"];
};

/** The C interface, open; it stays so until the program ends. */
export interface CApi {
  readonly api: Api;
  /** The environment, which the binding shares. */
  readonly env: bigint;
  /** What tensors in ordinary memory are made with. */
  readonly cpuMemory: bigint;
  /** What tensors in a GPU's memory are made with. */
  readonly cudaMemory: (deviceId: number) => bigint;
  /** Frees the lists that ONNX Runtime makes. */
  readonly allocator: bigint;
  /**
   * Adds the CUDA provider to a session's options.
   *
   * @param settings The provider's, `device_id` among them.
   * @throws {Error} When it does not load.
   */
  readonly appendCuda: (options: bigint, settings: Readonly<Record<string, string>>) => void;
  /** Loads the CUDA provider and starts a GPU, on another thread. @throws {Error} When it cannot. */
  readonly startCuda: (deviceId: number) => Promise<void>;
  /** @throws {Error} With ONNX Runtime's words, when a status says that something went wrong. */
  readonly check: (status: bigint) => void;
  /** What a function writes to the place it is given. @throws {Error} As `check` does. */
  readonly made: (ask: (place: BigUint64Array<ArrayBuffer>) => bigint) => bigint;
  /** The same for one that another thread runs. */
  readonly madeAside: (
    ask: (place: BigUint64Array<ArrayBuffer>) => Promise<bigint>,
  ) => Promise<bigint>;
  /** The extents of a tensor. @throws {Error} As `check` does. */
  readonly dimsOf: (value: bigint) => number[];
}

let opened: CApi | undefined;

/**
 * Opens the C interface.
 *
 * @param folder Where the binding's libraries lie.
 * @throws {Error} When the library cannot be opened, or is too old.
 */
export function openCApi(folder: string): CApi {
  return opened ??= open(posix.join(folder, "libonnxruntime.so.1"));
}

function open(path: string): CApi {
  const { symbols } = Deno.dlopen(path, {
    OrtGetApiBase: { parameters: [], result: "pointer" },
  });
  const base = new Deno.UnsafePointerView(symbols.OrtGetApiBase()!);
  const getApi = new Deno.UnsafeFnPointer(base.getPointer(0)!, {
    parameters: ["u32"],
    result: "pointer",
  });
  const table = getApi.call(ORT_API_VERSION);
  if (table === null) throw new Error(`${path} has no interface of version ${ORT_API_VERSION}`);
  const view = new Deno.UnsafePointerView(table);
  const api = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, { index, definition }]) => {
      const pointer = new Deno.UnsafeFnPointer(
        view.getPointer(index * POINTER_BYTES)!,
        definition as Deno.ForeignFunction,
      );
      return [name, pointer.call.bind(pointer)];
    }),
  ) as unknown as Api;

  const check = (status: bigint) => {
    if (status === 0n) return;
    const message = Deno.UnsafePointerView.getCString(api.GetErrorMessage(status)!);
    api.ReleaseStatus(status);
    throw new Error(message);
  };
  // Over a buffer: small arrays of their own are moved by the garbage collector, and some functions
  // call back before they write.
  const newPlace = () => new BigUint64Array(new ArrayBuffer(POINTER_BYTES));
  const made = (ask: (place: BigUint64Array<ArrayBuffer>) => bigint) => {
    const place = newPlace();
    check(ask(place));
    return place[0]!;
  };
  const madeAside = async (ask: (place: BigUint64Array<ArrayBuffer>) => Promise<bigint>) => {
    const place = newPlace();
    check(await ask(place));
    return place[0]!;
  };
  const dimsOf = (value: bigint) => {
    const info = made((place) => api.GetTensorTypeAndShape(value, place));
    try {
      const rank = made((place) => api.GetDimensionsCount(info, place));
      const dims = new BigInt64Array(Number(rank));
      check(api.GetDimensions(info, dims, rank));
      return Array.from(dims, Number);
    } finally {
      api.ReleaseTensorTypeAndShapeInfo(info);
    }
  };
  const cudaOptions = (settings: Readonly<Record<string, string>>) => {
    const handle = made((place) => api.CreateCUDAProviderOptions(place));
    const keys = Object.keys(settings).map(cString);
    const values = Object.values(settings).map(cString);
    const names = BigUint64Array.from(keys, addressOf);
    const texts = BigUint64Array.from(values, addressOf);
    check(api.UpdateCUDAProviderOptions(handle, names, texts, BigInt(keys.length)));
    return { handle, [Symbol.dispose]: () => api.ReleaseCUDAProviderOptions(handle) };
  };
  const cudaMemories = new Map<number, bigint>();
  const cudaMemory = (deviceId: number) => {
    const known = cudaMemories.get(deviceId);
    if (known !== undefined) return known;
    const name = cString("Cuda");
    const memory = made((place) =>
      api.CreateMemoryInfo(name, ARENA_ALLOCATOR, deviceId, DEFAULT_MEMORY, place)
    );
    cudaMemories.set(deviceId, memory);
    return memory;
  };
  return {
    api,
    check,
    made,
    madeAside,
    dimsOf,
    cudaMemory,
    env: made((place) => api.CreateEnv(ORT_LOG_LEVEL, cString("newbie"), place)),
    cpuMemory: made((place) => api.CreateCpuMemoryInfo(ARENA_ALLOCATOR, DEFAULT_MEMORY, place)),
    allocator: made((place) => api.GetAllocatorWithDefaultOptions(place)),
    appendCuda: (options, settings) => {
      using cuda = cudaOptions(settings);
      check(api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda.handle));
    },
    startCuda: async (deviceId) => {
      using cuda = cudaOptions({ device_id: String(deviceId) });
      const options = made((place) => api.CreateSessionOptions(place));
      try {
        check(await api.StartCuda(options, cuda.handle));
      } finally {
        api.ReleaseSessionOptions(options);
      }
    },
  };
}

/** A text with the zero that C ends it with. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** Where a buffer lies; it must be kept for as long as the address is used. */
export function addressOf(buffer: BufferSource): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer as Uint8Array<ArrayBuffer>));
}

/** The memory at an address, as it is there. */
export function memoryAt(address: bigint, bytes: number): ArrayBuffer {
  return Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(address)!, bytes);
}
