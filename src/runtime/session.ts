/**
 * ONNX Runtime, and nothing else: the only place that imports `onnxruntime-node`.
 *
 * @module
 */
import "./no_telemetry.ts";
import * as ort from "onnxruntime-node";
import { NewBieError } from "../errors.ts";
import { type CompiledGraph, type Device, weightsInMemory } from "../onnx/mod.ts";
import type { ByteTensor, Tensor } from "../tensor.ts";
import { aloneOnGpu, onGpu } from "./gpu_turns.ts";
import { ORT_LOG_LEVEL, ORT_LOG_LEVEL_NAME } from "./log_level.ts";

// Is read when the first session is made; what belongs to no session has this level.
ort.env.logLevel = ORT_LOG_LEVEL_NAME;

/** An int64 vector, for the few inputs that are shapes and lengths. */
export interface IntegerTensor {
  readonly data: BigInt64Array;
  readonly dims: readonly number[];
  readonly type: "int64";
}

/** A one-dimensional int64 tensor. */
export function integers(values: readonly number[]): IntegerTensor {
  return { data: BigInt64Array.from(values, BigInt), dims: [values.length], type: "int64" };
}

/** What a graph is given for one of its inputs. */
export type Feed = (Tensor | IntegerTensor) & {
  /** Set where the values never change; they may then stay on the device between runs. */
  readonly constant?: true;
};

/** The graph's inputs by name. */
export type Feeds = Readonly<Record<string, Feed>>;

/** ONNX Runtime failed to load or run a graph. */
export class SessionError extends NewBieError {
  override name = "SessionError";
  /** The graph's name. */
  readonly graph: string;
  /** What ONNX Runtime said. */
  readonly reason: string;

  constructor(graph: string, doing: Doing, cause: unknown) {
    const reason = reasonOf(cause);
    super(`ONNX Runtime could not ${doing} the graph ${graph}: ${reason}`, {
      cause,
      zh: `ONNX Runtime 无法${doing === "load" ? "加载" : "运行"}计算图 ${graph}：${reason}`,
    });
    this.graph = graph;
    this.reason = reason;
  }
}

/** A graph, or what it computes, does not fit into the memory of the device. */
export class OutOfMemoryError extends SessionError {
  override name = "OutOfMemoryError";
}

/** What ONNX Runtime, CUDA, cuBLAS, cuDNN and WebGPU say when an allocation fails. */
const OUT_OF_MEMORY =
  /out of (?:device |host )?memory|OUT_OF_(?:DEVICE|HOST)_MEMORY|failed to allocate memory|ALLOC_FAILED|bad_alloc|bad allocation|CUDA failure 2:/i;

/** What was asked of ONNX Runtime when it failed. */
type Doing = "load" | "run";

/** The error for what went wrong: only the message says whether memory was short. */
export function sessionError(graph: string, doing: Doing, cause: unknown): SessionError {
  return OUT_OF_MEMORY.test(reasonOf(cause))
    ? new OutOfMemoryError(graph, doing, cause)
    : new SessionError(graph, doing, cause);
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Options of {@linkcode Session.create}. */
export interface SessionOptions {
  readonly device: Device;
  /**
   * On CUDA the GPU's number among those that CUDA shows to this program.
   *
   * @default {0}
   */
  readonly deviceId?: number;
  /**
   * The type of arithmetic of a graph with operators of our own; hosts that have none refuse the graph.
   */
  readonly ownOperators?: "bfloat16" | "float16";
  /**
   * Whether the CPU may compute what CUDA has no kernel for, such as shapes. Otherwise a graph that
   * would need it is refused.
   *
   * @default {false}
   */
  readonly mayUseCpu?: boolean;
  /**
   * How many threads compute an operator, the one that asks included. They are never bound to cores:
   * ONNX Runtime binds those of its own choice to cores that this program may not have.
   *
   * @default {navigator.hardwareConcurrency} What affinity and quotas grant.
   */
  readonly threads?: number;
  /**
   * Whether it has convolutions: on CUDA it runs alone, since cuDNN may seek kernels for them.
   *
   * @default {false}
   */
  readonly convolves?: boolean;
  /**
   * Whether a GPU's memory that a run took is given back after it, by hosts that can: for what runs once
   * a picture.
   *
   * @default {false}
   */
  readonly givesBack?: boolean;
}

/** How one run differs from others. */
export interface RunOptions {
  /**
   * Whether a GPU's memory that runs took is given back after this one, by hosts that can: where
   * something else needs it next. The next run takes it anew.
   *
   * @default {false}
   */
  readonly givesBack?: boolean;
}

/** What a graph gives. */
export type Output = Tensor | ByteTensor;

/** A graph that runs, wherever that is. */
export interface RunningGraph extends AsyncDisposable {
  /** As {@linkcode Session.run} does. */
  run(feeds: Feeds, fetches?: undefined, options?: RunOptions): Promise<Record<string, Tensor>>;
  run(
    feeds: Feeds,
    fetches?: readonly string[],
    options?: RunOptions,
  ): Promise<Record<string, Output>>;
  /** Runs the graph over each of several inputs; absent where that is no faster than one by one. */
  runAll?(inputs: readonly Feeds[], options?: RunOptions): Promise<Record<string, Tensor>[]>;
}

/** Where graphs are loaded and run; {@linkcode Session} itself does both on the thread that asks. */
export interface SessionHost {
  /** @throws {SessionError} As {@linkcode Session.create} does. */
  create(graph: CompiledGraph, options: SessionOptions): Promise<RunningGraph>;
}

/** A graph ready to run on a device. */
export class Session implements AsyncDisposable {
  readonly #graph: CompiledGraph;
  readonly #floats: readonly string[];
  readonly #device: Device;
  readonly #convolves: boolean;
  #session: ort.InferenceSession | undefined;
  /** What the session points at; a GPU has a copy. */
  #memory: unknown;

  private constructor(
    graph: CompiledGraph,
    session: ort.InferenceSession,
    memory: unknown,
    { device, convolves = false }: Pick<SessionOptions, "device" | "convolves">,
  ) {
    this.#graph = graph;
    this.#device = device;
    this.#convolves = convolves;
    this.#floats = graph.outputs.filter(({ type }) => type === "float32").map(({ name }) => name);
    this.#session = session;
    this.#memory = memory;
  }

  /**
   * Loads a graph; its weights are mapped from their files by ONNX Runtime itself.
   *
   * @throws {OutOfMemoryError} When the weights do not fit into the device's memory.
   * @throws {SessionError} When ONNX Runtime refuses the graph or cannot read the weights; on CUDA
   *   also when it has no CUDA kernel for a node, unless the CPU may compute it.
   */
  static async create(
    graph: CompiledGraph,
    options: SessionOptions,
  ): Promise<Session> {
    const { device, deviceId = 0, mayUseCpu = false } = options;
    const { threads = navigator.hardwareConcurrency } = options;
    if (graph.unpackedWeights !== undefined) {
      throw new TypeError(`The graph ${graph.name} is for sessions with operators of our own.`);
    }
    // ONNX Runtime reads it where it is, for as long as the session is there.
    const memory = await weightsInMemory(graph);
    let loaded: ort.InferenceSession;
    try {
      loaded = await onGpu(device, () =>
        ort.InferenceSession.create(graph.model, {
          executionProviders: PROVIDERS[device](deviceId),
          intraOpNumThreads: threads,
          extra: { session: sessionEntries(graph, device, mayUseCpu) },
          externalData: Object.entries(memory).map(([path, data]) => ({ path, data })),
          logSeverityLevel: ORT_LOG_LEVEL,
        }));
    } catch (cause) {
      throw sessionError(graph.name, "load", cause);
    }
    return new Session(graph, loaded, device === "cpu" ? memory : undefined, options);
  }

  /**
   * Runs the graph once.
   *
   * @param feeds Every input that the graph declares, by name.
   * @returns Every float32 output by name.
   * @throws {OutOfMemoryError} When its intermediate results do not fit into the device's memory.
   * @throws {SessionError} When the run fails, or the session was disposed.
   */
  async run(feeds: Feeds): Promise<Record<string, Tensor>>;
  /**
   * The same for some of the outputs: the others stay on the device.
   *
   * @param fetches Their names.
   */
  async run(feeds: Feeds, fetches: readonly string[]): Promise<Record<string, Output>>;
  async run(
    feeds: Feeds,
    fetches: readonly string[] = this.#floats,
  ): Promise<Record<string, Output>> {
    const session = this.#session;
    if (session === undefined) {
      throw new SessionError(this.#graph.name, "run", "the session was disposed");
    }
    const inputs = Object.fromEntries(
      this.#graph.inputs.map(({ name }) => {
        const feed = feeds[name];
        if (feed === undefined) throw new SessionError(this.#graph.name, "run", `no ${name} given`);
        return [name, toOrt(feed)];
      }),
    );
    let results: ort.InferenceSession.OnnxValueMapType;
    try {
      const run = () => session.run(inputs, fetches);
      results = await (this.#convolves ? aloneOnGpu(this.#device, run) : run());
    } catch (cause) {
      throw sessionError(this.#graph.name, "run", cause);
    }
    return Object.fromEntries(
      Object.entries(results).map(([name, { data, dims, type }]) => [name, { data, dims, type }]),
    ) as Record<string, Output>;
  }

  /** Frees the session's memory on the device; a second call does nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await onGpu(this.#device, async () => await session?.release());
    this.#memory = undefined;
  }
}

/** Session configuration entries for a graph, below `session.`. */
export function sessionEntries(
  { weightFolder }: CompiledGraph,
  device: Device,
  mayUseCpu: boolean,
): Record<string, string> {
  return {
    // Threads that spin while they wait take processor time from others: two processes on two cores
    // took 28 s in all without, 40 s with it, and one process a third less of the processors' time.
    "intra_op.allow_spinning": "0",
    ...(device === "cuda" ? CUDA_ENTRIES : {}),
    ...(device === "cuda" && !mayUseCpu ? { disable_cpu_ep_fallback: "1" } : {}),
    ...(weightFolder === undefined
      ? {}
      : { model_external_initializers_file_folder_path: weightFolder }),
  };
}

/** What a graph runs on, by the binding's names. */
const PROVIDERS: Readonly<
  Record<Device, (deviceId: number) => ort.InferenceSession.ExecutionProviderConfig[]>
> = {
  cpu: () => ["cpu"],
  cuda: (deviceId) => [{ name: "cuda", deviceId }],
  // What WebGPU has no kernel for, such as shapes and casts from bfloat16, the CPU computes.
  webgpu: () => ["webgpu", "cpu"],
};

const CUDA_ENTRIES = {
  // The arena would double its memory each time the weights need more.
  use_device_allocator_for_initializers: "1",
};

function toOrt({ data, dims, type }: Feed): ort.Tensor {
  return type === "float32"
    ? new ort.Tensor("float32", data, dims)
    : new ort.Tensor("int64", data, dims);
}
