/**
 * Sessions over ONNX Runtime's C interface, which alone takes operators of our own.
 *
 * @module
 */
import { NewBieError } from "../../errors.ts";
import {
  ADAPTER_WEIGHTS,
  type CompiledGraph,
  type Device,
  weightsInMemory,
} from "../../onnx/mod.ts";
import { settled } from "../../settled.ts";
import { elementCount, type Tensor } from "../../tensor.ts";
import { onGpu } from "../gpu_turns.ts";
import { ORT_LOG_LEVEL } from "../log_level.ts";
import { addressOf, type CApi, cString, memoryAt, openCApi } from "./c_api.ts";
import { type CudaDriver, openCudaDriver } from "./cuda_driver.ts";
import { giveStoredWeights, type WeightPlace } from "./stored_weights.ts";
import { type Piece, Uploads } from "./uploads.ts";
import { otherEvents } from "../yield_to_events.ts";
import { ELEMENT_DATA_TYPE, OperatorDomain, type OperatorSet } from "./custom_operators.ts";
import {
  type Feed,
  type Feeds,
  type Output,
  type RunOptions,
  sessionEntries,
  sessionError,
  type SessionHost,
  type SessionOptions,
} from "../session.ts";

/** Of a run's options: a run ends when the device has its work, not when it has done it. */
const DO_NOT_WAIT = cString("disable_synchronize_execution_providers");
/** The same: the memory of all runs is given back after it. */
const GIVE_BACK = cString("memory.enable_memory_arena_shrinkage");
const USUAL_OPTIONS = 0n;
/** Milliseconds, after which a signal is not kept waiting though the device would have to. */
const LONGEST_WITHOUT_EVENTS = 250;
/**
 * Of the CUDA provider, of which every session has its own. An arena would double its memory each time a
 * run needs more. For kernels of convolutions cuDNN is asked, not each of them tried: those it names are
 * as fast. And all runs go to one stream of the provider's, by its own cuBLAS and cuDNN: otherwise runs
 * get a stream with a cuBLAS and a cuDNN more, which take memory to work in.
 *
 * One stream is enough. A session's calls wait for each other, and the runs of one call, handed over
 * before the first is waited for, are to follow each other anyway: they use the arena's memory one after
 * the other. So whoever waits for the last has waited for all. Sessions share no stream: what other
 * threads run does not wait for it. And it does not wait for CUDA's default stream, as those of runs do
 * not: inputs that are copied there are waited for before.
 */
const CUDA_SETTINGS = {
  arena_extend_strategy: "kSameAsRequested",
  cudnn_conv_algo_search: "HEURISTIC",
  use_ep_level_unified_stream: "1",
};
/** Two prompts and two negative prompts; each keeps a few megabytes on the device. */
const MOST_BINDINGS = 4;

/**
 * Where graphs run on the thread that asks, as {@linkcode Session} runs them, with operators of our own.
 *
 * @param folder Where the libraries of ONNX Runtime's binding lie.
 * @param operators Of our own; a graph need not have any of them.
 * @param native How they are opened.
 */
export function operatorSessions(
  folder: string,
  operators: OperatorSet,
  native: Native = { openCApi, openCudaDriver },
): SessionHost {
  return {
    create: async (graph, options) => {
      if (graph.unpackedWeights !== undefined && options.device !== "cuda") {
        throw new TypeError(`The graph ${graph.name} has weights that are unpacked on CUDA alone.`);
      }
      const memory = await weightsInMemory(graph);
      const openDriver = (deviceId: number) => native.openCudaDriver(folder, deviceId);
      const own = { openDriver, operators, memory };
      try {
        return await onGpu(options.device, () => {
          return OperatorSession.create(native.openCApi(folder), graph, own, options);
        });
      } catch (cause) {
        if (cause instanceof NewBieError) throw cause;
        throw sessionError(graph.name, "load", cause);
      }
    },
  };
}

/** What opens native libraries. */
export interface Native {
  readonly openCApi: typeof openCApi;
  readonly openCudaDriver: typeof openCudaDriver;
}

/** As {@linkcode weightsInMemory} makes them. */
type WeightsInMemory = Awaited<ReturnType<typeof weightsInMemory>>;

/** Tells a session's options where the bytes lie that the graph's references call files. */
function giveWeights({ api, check }: CApi, options: bigint, memory: WeightsInMemory): void {
  const files = Object.entries(memory);
  if (files.length === 0) return;
  const names = files.map(([name]) => cString(name));
  check(api.AddExternalInitializersFromFilesInMemory(
    options,
    BigUint64Array.from(names, addressOf),
    // Of the buffers, which stay where they are.
    BigUint64Array.from(files, ([, { buffer }]) => addressOf(buffer)),
    BigUint64Array.from(files, ([, { length }]) => BigInt(length)),
    BigInt(names.length),
  ));
}

/** What a session is made with. */
interface OwnParts {
  readonly openDriver: (deviceId: number) => CudaDriver;
  readonly operators: OperatorSet;
  readonly memory: WeightsInMemory;
}

/** What a session has. */
interface SessionParts {
  readonly session: bigint;
  /** Absent on a CPU. */
  readonly gpu?: Gpu;
  /** What the session points at; a GPU has a copy. */
  readonly memory?: WeightsInMemory;
  /** Options of all runs of a call but the last, of that, and of one that gives memory back. */
  readonly runs: Readonly<Record<"early" | "last" | "givingBack", bigint>>;
  /** Frees all of it but what the runs made. */
  readonly resources: Disposable;
}

class OperatorSession {
  readonly #c: CApi;
  readonly #graph: CompiledGraph;
  readonly #device: Device;
  readonly #floats: readonly string[];
  readonly #resources = new DisposableStack();
  readonly #session: bigint;
  readonly #runs: SessionParts["runs"];
  readonly #gpu: Gpu | undefined;
  /** The one used last comes last. */
  readonly #bindings: Binding[] = [];
  #lastCall: Promise<unknown> = Promise.resolve();
  /** When other events had their turn. */
  #lastTurn = -Infinity;
  readonly #memory: WeightsInMemory | undefined;

  private constructor(
    c: CApi,
    graph: CompiledGraph,
    { session, gpu, memory, runs, resources }: SessionParts,
  ) {
    this.#c = c;
    this.#graph = graph;
    this.#device = gpu === undefined ? "cpu" : "cuda";
    this.#floats = graph.outputs.filter(({ type }) => type === "float32").map(({ name }) => name);
    this.#session = session;
    this.#gpu = gpu;
    this.#memory = memory;
    this.#runs = runs;
    this.#resources.use(resources);
    this.#resources.defer(() => this.#bindings.forEach((binding) => this.#release(binding)));
  }

  /**
   * Weights are copied while another thread makes the session.
   *
   * @throws {Error} When ONNX Runtime refuses the graph, or the weights cannot be read.
   */
  static async create(
    c: CApi,
    graph: CompiledGraph,
    { openDriver, operators, memory }: OwnParts,
    options: SessionOptions,
  ): Promise<OperatorSession> {
    const { device, deviceId = 0, mayUseCpu = false, givesBack = false } = options;
    const { threads = navigator.hardwareConcurrency } = options;
    using stack = new DisposableStack();
    const { api, check, made, madeAside } = c;
    const settings = made((place) => api.CreateSessionOptions(place));
    let session: bigint;
    let place: WeightPlace | undefined;
    try {
      check(api.SetSessionLogSeverityLevel(settings, ORT_LOG_LEVEL));
      check(api.SetIntraOpNumThreads(settings, threads));
      for (const [key, value] of Object.entries(sessionEntries(graph, device, mayUseCpu))) {
        check(api.AddSessionConfigEntry(settings, cString(`session.${key}`), cString(value)));
      }
      let stored: readonly Piece[] = [];
      if (device === "cuda") {
        c.appendCuda(settings, { ...CUDA_SETTINGS, device_id: String(deviceId) });
        place = { driver: openDriver(deviceId), memory: c.cudaMemory(deviceId) };
        stored = giveStoredWeights(c, settings, graph, place, stack);
      }
      const own = graph.ownMatrices && stack.use(operators.keep!(graph.ownMatrices));
      const matrices = own?.matrices ?? [];
      if (operators.operators.length > 0) {
        stack.use(new OperatorDomain(c, operators, device, matrices)).addTo(settings);
      }
      giveWeights(c, settings, memory);
      const model = graph.model as Uint8Array<ArrayBuffer>;
      const create = async () => {
        const session = await madeAside((place) =>
          api.CreateSessionFromArray(c.env, model, BigInt(model.length), settings, place)
        );
        stack.defer(() => api.ReleaseSession(session));
        return session;
      };
      [session] = await settled([
        create(),
        place && Uploads.of(place.driver).copy(stored),
        own && operators.fill!(own.pieces),
      ]);
    } finally {
      api.ReleaseSessionOptions(settings);
    }
    const runOptions = (key: BufferSource, value: string) => {
      const made = c.made((place) => api.CreateRunOptions(place));
      stack.defer(() => api.ReleaseRunOptions(made));
      check(api.AddRunConfigEntry(made, key, cString(value)));
      return made;
    };
    const early = runOptions(DO_NOT_WAIT, "1");
    if (place === undefined) {
      const runs = { early, last: USUAL_OPTIONS, givingBack: USUAL_OPTIONS };
      return new OperatorSession(c, graph, { session, memory, runs, resources: stack.move() });
    }
    const givingBack = runOptions(GIVE_BACK, `gpu:${deviceId}`);
    const last = givesBack ? givingBack : USUAL_OPTIONS;
    const { memory: gpuMemory } = place;
    const allocator = made((place) => api.CreateAllocator(session, gpuMemory, place));
    stack.defer(() => api.ReleaseAllocator(allocator));
    const parts = { session, gpu: { ...place, allocator }, runs: { early, last, givingBack } };
    return new OperatorSession(c, graph, { ...parts, resources: stack.move() });
  }

  async run(
    feeds: Feeds,
    fetches?: undefined,
    options?: RunOptions,
  ): Promise<Record<string, Tensor>>;
  async run(
    feeds: Feeds,
    fetches?: readonly string[],
    options?: RunOptions,
  ): Promise<Record<string, Output>>;
  async run(
    feeds: Feeds,
    fetches?: readonly string[],
    options?: RunOptions,
  ): Promise<Record<string, Output>> {
    const [result] = await this.#called([feeds], options, fetches);
    return result!;
  }

  /**
   * The device has all runs before it before the first result is waited for. Other events get their
   * turn before the last one, while it is at work.
   */
  async runAll(
    inputs: readonly Feeds[],
    options?: RunOptions,
  ): Promise<Record<string, Tensor>[]> {
    return await this.#called(inputs, options) as Record<string, Tensor>[];
  }

  async #called(
    inputs: readonly Feeds[],
    options: RunOptions = {},
    fetches: readonly string[] = this.#floats,
  ): Promise<Record<string, Output>[]> {
    // The bindings are those of one call at a time.
    const results = this.#lastCall.then(() => {
      return onGpu(this.#device, () => this.#runAll(inputs, fetches, options));
    });
    this.#lastCall = results.then(() => {}, () => {});
    try {
      return await results;
    } catch (cause) {
      throw sessionError(this.#graph.name, "run", cause);
    }
  }

  async #runAll(
    inputs: readonly Feeds[],
    fetches: readonly string[],
    { givesBack = false }: RunOptions,
  ): Promise<Record<string, Output>[]> {
    if (this.#resources.disposed) throw new Error("the session was disposed");
    const { api, check } = this.#c;
    const { early, last: usual, givingBack } = this.#runs;
    const bindings = this.#bindingsFor(inputs);
    inputs.forEach((feeds, index) => this.#bind(bindings[index]!, feeds, fetches));
    this.#wait("copy the inputs");
    try {
      const last = bindings.at(-1);
      for (const binding of bindings) {
        const isLast = binding === last;
        // The last run waits for the device, and cleans up after those that do not.
        const options = !isLast ? early : givesBack ? givingBack : usual;
        if (isLast) await this.#otherEvents(bindings.length > 1);
        check(api.RunWithBinding(this.#session, options, binding.handle));
      }
      return bindings.map(({ handle }) => this.#results(handle, fetches));
    } finally {
      bindings.forEach(({ handle }) => api.ClearBoundOutputs(handle));
    }
  }

  /** Where the device waits meanwhile, they have their turn now and then. */
  async #otherEvents(isBusy: boolean): Promise<void> {
    if (!isBusy && performance.now() - this.#lastTurn < LONGEST_WITHOUT_EVENTS) return;
    await otherEvents();
    this.#lastTurn = performance.now();
  }

  /** Until the GPU has done what it was told. */
  #wait(doing: string): void {
    this.#gpu?.driver.check(this.#gpu.driver.functions.cuCtxSynchronize(), doing);
  }

  /** One for each run: the one that has most of its constants, or a new one, or the oldest. */
  #bindingsFor(inputs: readonly Feeds[]): Binding[] {
    const { api, made } = this.#c;
    const free = [...this.#bindings];
    const taken = inputs.map((feeds) => {
      const constants = Object.entries(feeds).filter(([, { constant }]) => constant);
      const matches = free.map(({ bound }) =>
        constants.filter(([name, { data }]) => bound.get(name)?.data === data).length
      );
      const most = Math.max(0, ...matches);
      if (most > 0 || free.length >= MOST_BINDINGS) {
        return free.splice(matches.indexOf(most), 1)[0]!;
      }
      const handle = made((place) => api.CreateIoBinding(this.#session, place));
      return { handle, bound: new Map(), places: new Map() };
    });
    this.#bindings.splice(0, Infinity, ...free, ...taken);
    return taken;
  }

  #bind(binding: Binding, feeds: Feeds, fetches: readonly string[]): void {
    const { api, check, cpuMemory } = this.#c;
    const { handle, bound } = binding;
    for (const { name } of this.#graph.inputs) {
      const feed = feeds[name];
      if (feed === undefined) throw new Error(`no ${name} given`);
      if (feed.constant && bound.get(name)?.data === feed.data) continue;
      bound.delete(name);
      // What adapters weigh is read before it is known what a GPU has to do.
      if (this.#gpu !== undefined && feed.type === "float32" && name !== ADAPTER_WEIGHTS) {
        this.#upload(this.#gpu, binding, name, feed);
      } else {
        const value = this.#valueOf(feed);
        try {
          check(api.BindInput(handle, cString(name), value));
        } finally {
          api.ReleaseValue(value);
        }
      }
      bound.set(name, feed);
    }
    const memory = this.#gpu?.memory ?? cpuMemory;
    for (const name of fetches) check(api.BindOutputToDevice(handle, cString(name), memory));
  }

  /** Copies an input to its place on the GPU; `BindInput` would make a new place for each. */
  #upload({ driver, allocator }: Gpu, { handle, places }: Binding, name: string, feed: Feed) {
    const { api, check, made } = this.#c;
    const { data, dims } = feed;
    let place = places.get(name);
    if (place === undefined || place.dims.join() !== dims.join()) {
      const extents = BigInt64Array.from(dims, BigInt);
      const rank = BigInt(dims.length);
      const value = made((out) =>
        api.CreateTensorAsOrtValue(allocator, extents, rank, ELEMENT_DATA_TYPE.float32, out)
      );
      if (place !== undefined) api.ReleaseValue(place.value);
      place = { value, dims, address: made((out) => api.GetTensorMutableData(value, out)) };
      places.set(name, place);
      check(api.BindInput(handle, cString(name), value));
    }
    const bytes = BigInt(data.byteLength);
    driver.check(
      driver.functions.cuMemcpyHtoD_v2(place.address, data as Float32Array<ArrayBuffer>, bytes),
      `copy ${name} to the GPU`,
    );
  }

  #release({ handle, places }: Binding): void {
    const { api } = this.#c;
    api.ReleaseIoBinding(handle);
    places.forEach(({ value }) => api.ReleaseValue(value));
  }

  #results(binding: bigint, fetches: readonly string[]): Record<string, Output> {
    const { api, check, allocator } = this.#c;
    const list = new BigUint64Array(1);
    const count = new BigUint64Array(1);
    check(api.GetBoundOutputValues(binding, allocator, list, count));
    const bytes = fetches.length * BigUint64Array.BYTES_PER_ELEMENT;
    const values = new BigUint64Array(memoryAt(list[0]!, bytes)).slice();
    check(api.AllocatorFree(allocator, list[0]!));
    try {
      return Object.fromEntries(
        fetches.map((name, index) => [name, this.#tensorOf(name, values[index]!)]),
      );
    } finally {
      values.forEach((value) => api.ReleaseValue(value));
    }
  }

  /** A tensor of ONNX Runtime's over the same memory. */
  #valueOf({ data, dims, type }: Feed): bigint {
    const { api, made, cpuMemory } = this.#c;
    return made((place) =>
      api.CreateTensorWithDataAsOrtValue(
        cpuMemory,
        data as Float32Array<ArrayBuffer>,
        BigInt(data.byteLength),
        BigInt64Array.from(dims, BigInt),
        BigInt(dims.length),
        ELEMENT_DATA_TYPE[type],
        place,
      )
    );
  }

  /** A copy of an output. */
  #tensorOf(name: string, value: bigint): Output {
    const { api, made, dimsOf } = this.#c;
    const dims = dimsOf(value);
    const isBytes = this.#graph.outputs.find((port) => port.name === name)!.type === "uint8";
    const data = new (isBytes ? Uint8Array : Float32Array)(elementCount(dims));
    const address = made((place) => api.GetTensorMutableData(value, place));
    if (this.#gpu === undefined) {
      Deno.UnsafePointerView.copyInto(Deno.UnsafePointer.create(address)!, data);
    } else {
      const { functions, check } = this.#gpu.driver;
      check(functions.cuMemcpyDtoH_v2(data, address, BigInt(data.byteLength)), "read a result");
    }
    return { data, dims, type: isBytes ? "uint8" : "float32" } as Output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lastCall;
    await onGpu(this.#device, () => Promise.resolve(this.#resources.dispose()));
  }
}

/** A run's inputs, on the device. */
interface Binding {
  readonly handle: bigint;
  /** What lies there; ordinary memory is used where it is. */
  readonly bound: Map<string, Feed>;
  /** Where it lies on a GPU. */
  readonly places: Map<string, Place>;
}

/** A tensor of ONNX Runtime's on a GPU. */
interface Place {
  readonly value: bigint;
  readonly address: bigint;
  readonly dims: readonly number[];
}

/** What a session on a GPU needs of it. */
interface Gpu extends WeightPlace {
  readonly allocator: bigint;
}
