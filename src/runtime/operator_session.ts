/**
 * Sessions with operators of our own, over ONNX Runtime's C interface.
 *
 * @module
 */
import type { CompiledGraph } from "../onnx/mod.ts";
import { elementCount, type Tensor, tensor } from "../tensor.ts";
import { addressOf, type CApi, cString, openCApi } from "./c_api.ts";
import { ELEMENT_DATA_TYPE, OperatorDomain, type OperatorSet } from "./operators.ts";
import {
  type Feeds,
  type IntegerTensor,
  sessionEntries,
  sessionError,
  type SessionHost,
  type SessionOptions,
} from "./session.ts";

/** `ORT_LOGGING_LEVEL_ERROR`: warnings about node placement are for developers. */
const ORT_LOG_ERRORS = 3;

/**
 * Where graphs with operators of our own run: on the thread that asks, as {@linkcode Session} does.
 *
 * @param folder Where the libraries of ONNX Runtime's binding lie.
 */
export function operatorSessions(folder: string, operators: OperatorSet): SessionHost {
  return {
    create: (graph, options) => {
      try {
        return Promise.resolve(new OperatorSession(openCApi(folder), graph, operators, options));
      } catch (cause) {
        return Promise.reject(sessionError(graph.name, "load", cause));
      }
    },
  };
}

class OperatorSession {
  readonly #c: CApi;
  readonly #graph: CompiledGraph;
  readonly #outputs: readonly string[];
  readonly #resources: DisposableStack;
  readonly #session: bigint;

  /** @throws {Error} When ONNX Runtime refuses the graph or cannot read the weights. */
  constructor(
    c: CApi,
    graph: CompiledGraph,
    operators: OperatorSet,
    { device, mayUseCpu = false }: SessionOptions,
  ) {
    using stack = new DisposableStack();
    const { api, check, made } = c;
    const domain = stack.use(new OperatorDomain(c, operators, device));
    const options = made((place) => api.CreateSessionOptions(place));
    try {
      check(api.SetSessionLogSeverityLevel(options, ORT_LOG_ERRORS));
      for (const [key, value] of Object.entries(sessionEntries(graph, device, mayUseCpu))) {
        check(api.AddSessionConfigEntry(options, cString(`session.${key}`), cString(value)));
      }
      if (device === "cuda") c.appendCuda(options);
      domain.addTo(options);
      const model = graph.model as Uint8Array<ArrayBuffer>;
      this.#session = made((place) =>
        api.CreateSessionFromArray(c.env, model, BigInt(model.length), options, place)
      );
    } finally {
      api.ReleaseSessionOptions(options);
    }
    stack.defer(() => api.ReleaseSession(this.#session));
    this.#c = c;
    this.#graph = graph;
    this.#outputs = graph.outputs.map(({ name }) => name);
    this.#resources = stack.move();
  }

  run(feeds: Feeds, fetches: readonly string[] = this.#outputs): Promise<Record<string, Tensor>> {
    try {
      return Promise.resolve(this.#run(feeds, fetches));
    } catch (cause) {
      return Promise.reject(sessionError(this.#graph.name, "run", cause));
    }
  }

  #run(feeds: Feeds, fetches: readonly string[]): Record<string, Tensor> {
    if (this.#resources.disposed) throw new Error("the session was disposed");
    const { api, check } = this.#c;
    using stack = new DisposableStack();
    const inputNames = this.#graph.inputs.map(({ name }) => name);
    const inputs = BigUint64Array.from(inputNames, (name) => {
      const feed = feeds[name];
      if (feed === undefined) throw new Error(`no ${name} given`);
      const value = this.#valueOf(feed);
      stack.defer(() => api.ReleaseValue(value));
      return value;
    });
    const results = new BigUint64Array(fetches.length);
    stack.defer(() => results.forEach((value) => value !== 0n && api.ReleaseValue(value)));
    const names = addresses(inputNames.map(cString));
    const wanted = addresses(fetches.map(cString));
    check(
      api.Run(
        this.#session,
        0n,
        names.table,
        inputs,
        BigInt(inputs.length),
        wanted.table,
        BigInt(results.length),
        results,
      ),
    );
    return Object.fromEntries(
      fetches.map((name, index) => [name, this.#tensorOf(results[index]!)]),
    );
  }

  /** A tensor of ONNX Runtime's over the same memory. */
  #valueOf({ data, dims, type }: Tensor | IntegerTensor): bigint {
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

  /** A copy of a float32 tensor of ONNX Runtime's. */
  #tensorOf(value: bigint): Tensor {
    const { api, check, made } = this.#c;
    const info = made((place) => api.GetTensorTypeAndShape(value, place));
    const rank = made((place) => api.GetDimensionsCount(info, place));
    const extents = new BigInt64Array(Number(rank));
    check(api.GetDimensions(info, extents, rank));
    api.ReleaseTensorTypeAndShapeInfo(info);
    const dims = Array.from(extents, Number);
    const data = new Float32Array(elementCount(dims));
    const address = made((place) => api.GetTensorMutableData(value, place));
    Deno.UnsafePointerView.copyInto(Deno.UnsafePointer.create(address)!, data);
    return tensor(data, dims);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#resources.dispose();
    return Promise.resolve();
  }
}

/** Addresses of buffers, together with these: they must be kept for as long. */
function addresses(buffers: readonly BufferSource[]) {
  return { table: BigUint64Array.from(buffers, addressOf), buffers };
}
