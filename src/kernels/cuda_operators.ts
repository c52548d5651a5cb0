/**
 * The project's own operators on a GPU: kernels.cu, as kernels.ptx, by CUDA's driver interface.
 *
 * @module
 */
import { posix } from "node:path";
import { OWN_DOMAIN } from "../onnx/mod.ts";
import { CUDA_PROVIDER_FILES } from "../runtime/binding.ts";
import { addressOf, cString } from "../runtime/c_api.ts";
import type { Operator, OperatorSet } from "../runtime/operators.ts";
import { elementCount } from "../tensor.ts";
import ptx from "./kernels.ptx" with { type: "text" };

/** The types that the kernels exist for, and how their names end. */
const ENDING = { bfloat16: "bf16", float16: "f16" } as const;
/** One of those types. */
export type KernelType = keyof typeof ENDING;

/** Values of 16 bits in 16 bytes, which is what a thread reads at once. */
const VECTOR = 8;
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

  return { domain: OWN_DOMAIN, operators: [normAddNorm, splitHeads, swiglu] };
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
  const { driver, module } = loadModule(folder);
  const place = new BigUint64Array(1);
  check(driver, driver.cuModuleGetFunction(place, module, cString(name)), `find ${name}`);
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
    const status = driver.cuLaunchKernel(
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
    check(driver, status, `start ${name}`);
  };
}

const DRIVER_FUNCTIONS = {
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
  cuGetErrorString: { parameters: ["i32", "buffer"], result: "i32" },
} as const;

type Driver = Deno.DynamicLibrary<typeof DRIVER_FUNCTIONS>["symbols"];

interface LoadedModule {
  readonly driver: Driver;
  readonly module: bigint;
}

let loaded: LoadedModule | undefined;

/** The kernels, translated for the GPU by its driver; they stay until the program ends. */
function loadModule(folder: string): LoadedModule {
  if (loaded !== undefined) return loaded;
  // The provider needs the driver's library, so its functions are found through the provider: a
  // program may load what lies in node_modules, and nothing else.
  const provider = posix.join(folder, CUDA_PROVIDER_FILES[0]);
  const driver = Deno.dlopen(provider, DRIVER_FUNCTIONS).symbols;
  const place = new BigUint64Array(1);
  check(driver, driver.cuModuleLoadData(place, cString(ptx)), "load the kernels");
  return loaded = { driver, module: place[0]! };
}

/** @throws {Error} With the driver's words. */
function check(driver: Driver, status: number, doing: string): void {
  if (status === 0) return;
  const place = new BigUint64Array(1);
  driver.cuGetErrorString(status, place);
  const words = Deno.UnsafePointer.create(place[0]!);
  const message = words === null ? `error ${status}` : Deno.UnsafePointerView.getCString(words);
  throw new Error(`CUDA could not ${doing}: ${message}`);
}
