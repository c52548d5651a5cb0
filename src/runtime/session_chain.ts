import type { CompiledGraph, Device } from "../onnx/mod.ts";
import type { Tensor } from "../tensor.ts";
import { otherEvents } from "./yield_to_events.ts";
import {
  type Feeds,
  type RunningGraph,
  type RunOptions,
  Session,
  type SessionHost,
} from "./session.ts";

/** An output of this name and ending is the input of this name of the next graph. */
const HANDED_ON = /_out$/;

/** Options of {@linkcode SessionChain.create}. */
export interface SessionChainOptions {
  readonly device: Device;
  /**
   * Whether the graphs stay loaded; otherwise each is loaded when its turn comes and freed after
   * it, so that the weights of one at a time are on the device.
   */
  readonly resident: boolean;
  /**
   * Where the graphs are loaded and run.
   *
   * @default {Session}
   */
  readonly host?: SessionHost | undefined;
}

/**
 * Graphs that run one after another: what one gives as `x_out`, the next takes as `x`. So a model
 * can be larger than the memory of the device.
 */
export class SessionChain implements AsyncDisposable {
  readonly #graphs: readonly CompiledGraph[];
  readonly #device: Device;
  readonly #host: SessionHost;
  readonly #resources: AsyncDisposableStack;
  readonly #loaded: readonly RunningGraph[] | undefined;

  private constructor(
    graphs: readonly CompiledGraph[],
    device: Device,
    host: SessionHost,
    resources: AsyncDisposableStack,
    loaded: readonly RunningGraph[] | undefined,
  ) {
    this.#graphs = graphs;
    this.#device = device;
    this.#host = host;
    this.#resources = resources;
    this.#loaded = loaded;
  }

  /** @throws {SessionError} When ONNX Runtime cannot load a graph. */
  static async create(
    graphs: readonly CompiledGraph[],
    { device, resident, host = Session }: SessionChainOptions,
  ): Promise<SessionChain> {
    await using stack = new AsyncDisposableStack();
    let loaded: RunningGraph[] | undefined;
    if (resident) {
      loaded = [];
      for (const graph of graphs) loaded.push(stack.use(await host.create(graph, { device })));
    }
    return new SessionChain(graphs, device, host, stack.move(), loaded);
  }

  /**
   * Runs the graphs over each of several inputs; a graph that is not resident is loaded once for
   * all of them. Other events get their turn meanwhile.
   *
   * @param inputs For each run every input that any of the graphs declares, by name, except what is
   *   handed on.
   * @param options Of the last of them.
   * @returns For each run the outputs of the last graph.
   * @throws {SessionError} When ONNX Runtime cannot load or run a graph.
   */
  async run(inputs: readonly Feeds[], options?: RunOptions): Promise<Record<string, Tensor>[]> {
    let results: Record<string, Tensor>[] = inputs.map(() => ({}));
    for (const [index, graph] of this.#graphs.entries()) {
      const loaded = this.#loaded?.[index];
      const session = loaded ?? await this.#host.create(graph, { device: this.#device });
      try {
        const feeds = inputs.map((feeds, run) => ({ ...feeds, ...handedOn(results[run]!) }));
        results = await session.runAll?.(feeds, options) ??
          await runOneByOne(session, feeds, options);
      } finally {
        if (loaded === undefined) await session[Symbol.asyncDispose]();
      }
    }
    return results;
  }

  /** Frees the graphs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

async function runOneByOne(
  session: RunningGraph,
  inputs: readonly Feeds[],
  options?: RunOptions,
) {
  const results: Record<string, Tensor>[] = [];
  for (const [index, feeds] of inputs.entries()) {
    const isLast = index === inputs.length - 1;
    results.push(await session.run(feeds, undefined, isLast ? options : undefined));
  }
  await otherEvents();
  return results;
}

function handedOn(outputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const entries = Object.entries(outputs).filter(([name]) => HANDED_ON.test(name));
  return Object.fromEntries(entries.map(([name, value]) => [name.replace(HANDED_ON, ""), value]));
}
