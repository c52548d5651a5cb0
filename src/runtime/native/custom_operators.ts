/**
 * Operators of our own, as ONNX Runtime's C interface wants them: `OrtCustomOp`.
 *
 * @module
 */
import type { Device, OwnMatrix } from "../../onnx/mod.ts";
import { addressOf, type CApi, cString, memoryAt } from "./c_api.ts";
import type { Piece } from "./uploads.ts";

/** The element types of the operators, as `ONNXTensorElementDataType` numbers them. */
export const ELEMENT_DATA_TYPE = {
  float32: 1,
  int8: 3,
  int64: 7,
  float16: 10,
  bfloat16: 16,
} as const;
/** One of them. */
export type OperatorType = keyof typeof ELEMENT_DATA_TYPE;

/** A tensor where the device has it. */
export interface DeviceTensor {
  readonly address: bigint;
  readonly dims: readonly number[];
}

/** What a kernel is given for one run. */
export interface KernelContext {
  /** An input. */
  input(index: number): DeviceTensor;
  /** Where an input lies, without its extents. */
  address(index: number): bigint;
  /** Makes room for an output, and tells where. */
  output(index: number, dims: readonly number[]): bigint;
  /** The CUDA stream to work on. */
  stream(): bigint;
}

/** A node's attributes. */
export interface KernelAttributes {
  int(name: string): number;
  float(name: string): number;
}

/** Computes one node; what it throws, the run fails with. */
export interface Kernel {
  (context: KernelContext): void;
  /** Is called when the session ends; it must not throw. */
  [Symbol.dispose]?: () => void;
}

/** An operator of our own. */
export interface Operator {
  readonly name: string;
  readonly inputs: readonly OperatorType[];
  readonly outputs: readonly OperatorType[];
  /** Inputs that the kernel reads in ordinary memory. */
  readonly inMemory?: readonly number[];
  /** Whether the first output may be where the first input is, which nobody needs afterwards. */
  readonly isInPlace?: true;
  /**
   * Makes the kernel of one node.
   *
   * @param matrices Those of the graph, by the numbers that its nodes have for them.
   */
  readonly kernel: (attributes: KernelAttributes, matrices: readonly KeptMatrix[]) => Kernel;
}

/** A matrix on the device in the form of its operators. */
export interface KeptMatrix {
  /** Where its values are. */
  readonly values: bigint;
  /** Where the scales of its rows are. */
  readonly scales: bigint;
  readonly rows: number;
  readonly columns: number;
  /** How many rows there is room for. */
  readonly paddedRows: number;
}

/** Matrices that are complete when all pieces are there; they are freed after the session. */
export interface MatricesToFill extends Disposable {
  readonly matrices: readonly KeptMatrix[];
  readonly pieces: readonly Piece[];
}

/** Operators that a session can be given. */
export interface OperatorSet {
  readonly domain: string;
  readonly operators: readonly Operator[];
  /**
   * Makes room for the matrices of a graph on the device; absent where no operator has one.
   *
   * @throws {Error} When there is none.
   */
  readonly keep?: (matrices: readonly OwnMatrix[]) => MatricesToFill;
  /**
   * Fills what was made room for.
   *
   * @throws {SafetensorsError} When a matrix cannot be read.
   */
  readonly fill?: (pieces: readonly Piece[]) => Promise<void>;
}

/** The version of `OrtCustomOp`: the first that can work in place. */
const CUSTOM_OP_VERSION = 18;
const POINTER_BYTES = 8;
/** `OrtMemTypeDefault` and `OrtMemTypeCPUInput`. */
const DEVICE_MEMORY = 0;
const ORDINARY_MEMORY = -2;
/** `ORT_FAIL`. */
const FAIL = 1;
const NO_STATUS = 0n;

const PROVIDERS: Readonly<Record<Device, string>> = {
  cpu: "CPUExecutionProvider",
  cuda: "CUDAExecutionProvider",
  webgpu: "WebGpuExecutionProvider",
};

/** Operators as a session's options take them. To be disposed after the session. */
export class OperatorDomain implements Disposable {
  readonly #c: CApi;
  readonly #domain: bigint;
  readonly #callbacks: { close(): void }[] = [];
  /** What ONNX Runtime reads for as long as the session lives. */
  readonly #kept: BufferSource[] = [];
  readonly #kernels = new Map<bigint, Kernel>();
  readonly #context: Context;
  readonly #matrices: readonly KeptMatrix[];
  #lastKernel = 0n;

  /** @throws {Error} When ONNX Runtime refuses an operator. */
  constructor(
    c: CApi,
    { domain, operators }: OperatorSet,
    device: Device,
    matrices: readonly KeptMatrix[],
  ) {
    this.#c = c;
    this.#matrices = matrices;
    this.#context = new Context(c);
    const name = this.#keep(cString(domain));
    this.#domain = c.made((place) => c.api.CreateCustomOpDomain(name, place));
    for (const operator of operators) {
      c.check(c.api.CustomOpDomain_Add(this.#domain, this.#structure(operator, device)));
    }
  }

  /** @throws {Error} When ONNX Runtime refuses the operators. */
  addTo(options: bigint): void {
    this.#c.check(this.#c.api.AddCustomOpDomain(options, this.#domain));
  }

  /** Frees what the operators are made of. */
  [Symbol.dispose](): void {
    this.#c.api.ReleaseCustomOpDomain(this.#domain);
    this.#callbacks.forEach((callback) => callback.close());
  }

  /** `OrtCustomOp`: a version, then functions. */
  #structure(
    { name, inputs, outputs, inMemory = [], isInPlace, kernel }: Operator,
    device: Device,
  ) {
    const { api } = this.#c;
    const nameAt = addressOf(this.#keep(cString(name)));
    const providerAt = addressOf(this.#keep(cString(PROVIDERS[device])));
    const type = (types: readonly OperatorType[]) =>
      this.#function(["u64", "usize"], "i32", (_, index) => {
        return ELEMENT_DATA_TYPE[types[Number(index)]!];
      });
    const count = (types: readonly OperatorType[]) =>
      this.#function(["u64"], "usize", () => BigInt(types.length));
    const zero = this.#function(["u64", "usize"], "i32", () => 0);
    const reported = (work: () => void): bigint => {
      try {
        work();
        return NO_STATUS;
      } catch (error) {
        return api.CreateStatus(FAIL, cString(`${name}: ${(error as Error).message}`));
      }
    };
    const functions = [
      0n, // CreateKernel: CreateKernelV2 instead
      this.#function(["u64"], "u64", () => nameAt),
      this.#function(["u64"], "u64", () => providerAt),
      type(inputs),
      count(inputs),
      type(outputs),
      count(outputs),
      0n, // KernelCompute: KernelComputeV2 instead
      this.#function(["u64"], "void", (id) => {
        this.#kernels.get(id)?.[Symbol.dispose]?.();
        this.#kernels.delete(id);
      }),
      zero, // GetInputCharacteristic: required
      zero, // GetOutputCharacteristic: required
      this.#function(
        ["u64", "usize"],
        "i32",
        (_, index) => inMemory.includes(Number(index)) ? ORDINARY_MEMORY : DEVICE_MEMORY,
      ),
      0n,
      0n,
      0n,
      0n, // the four about variadic inputs and outputs
      this.#function(
        ["u64", "u64", "u64", "u64"],
        "u64",
        (_op, _api, info, place) =>
          reported(() => {
            const id = ++this.#lastKernel;
            this.#kernels.set(id, kernel(attributesOf(this.#c, info), this.#matrices));
            new BigUint64Array(memoryAt(place, POINTER_BYTES))[0] = id;
          }),
      ),
      this.#function(
        ["u64", "u64"],
        "u64",
        (id, context) => reported(() => this.#kernels.get(id)!(this.#context.of(context))),
      ),
      0n, // InferOutputShapeFn: graphs state extents where they matter
      0n,
      0n, // the versions of the operator
      isInPlace ? this.#inPlace() : 0n,
      isInPlace ? this.#function(["u64", "u64"], "void", () => {}) : 0n, // ReleaseMayInplace
      0n,
      0n, // the two about aliases
    ];
    return this.#keep(BigUint64Array.of(BigInt(CUSTOM_OP_VERSION), ...functions));
  }

  /** GetMayInplace: the first output may be in the place of the first input. */
  #inPlace(): bigint {
    const first = addressOf(this.#keep(Int32Array.of(0)));
    return this.#function(["u64", "u64"], "usize", (inputs, outputs) => {
      for (const place of [inputs, outputs]) {
        new BigUint64Array(memoryAt(place, POINTER_BYTES))[0] = first;
      }
      return 1n;
    });
  }

  #function<const P extends readonly Deno.NativeType[], const R extends Deno.NativeResultType>(
    parameters: P,
    result: R,
    work: Deno.UnsafeCallbackFunction<P, R>,
  ): bigint {
    const callback = new Deno.UnsafeCallback({ parameters, result }, work);
    this.#callbacks.push(callback);
    return Deno.UnsafePointer.value(callback.pointer);
  }

  #keep<T extends BufferSource>(buffer: T): T {
    this.#kept.push(buffer);
    return buffer;
  }
}

function attributesOf({ api, check }: CApi, info: bigint): KernelAttributes {
  return {
    int(name) {
      const place = new BigInt64Array(1);
      check(api.KernelInfoGetAttribute_int64(info, cString(name), place));
      return Number(place[0]);
    },
    float(name) {
      const place = new Float32Array(1);
      check(api.KernelInfoGetAttribute_float(info, cString(name), place));
      return place[0]!;
    },
  };
}

/** One context for all runs: a transformer's forward pass needs it about a thousand times. */
class Context implements KernelContext {
  readonly #c: CApi;
  readonly #place = new BigUint64Array(1);
  #context = 0n;

  constructor(c: CApi) {
    this.#c = c;
  }

  of(context: bigint): Context {
    this.#context = context;
    return this;
  }

  input(index: number): DeviceTensor {
    const value = this.#value(index);
    return { address: this.#dataOf(value), dims: this.#c.dimsOf(value) };
  }

  address(index: number): bigint {
    return this.#dataOf(this.#value(index));
  }

  output(index: number, dims: readonly number[]): bigint {
    const { api } = this.#c;
    const extents = BigInt64Array.from(dims, BigInt);
    return this.#dataOf(this.#ask(
      api.KernelContext_GetOutput(
        this.#context,
        BigInt(index),
        extents,
        BigInt(dims.length),
        this.#place,
      ),
    ));
  }

  stream(): bigint {
    return this.#ask(this.#c.api.KernelContext_GetGPUComputeStream(this.#context, this.#place));
  }

  #value(index: number): bigint {
    return this.#ask(
      this.#c.api.KernelContext_GetInput(this.#context, BigInt(index), this.#place),
    );
  }

  #dataOf(value: bigint): bigint {
    return this.#ask(this.#c.api.GetTensorMutableData(value, this.#place));
  }

  #ask(status: bigint): bigint {
    this.#c.check(status);
    return this.#place[0]!;
  }
}
