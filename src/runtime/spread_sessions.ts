/**
 * One graph on several GPUs, for runs that do not depend on each other.
 *
 * @module
 */
import { settled } from "../settled.ts";
import type { Tensor } from "../tensor.ts";
import type { Feeds, Output, RunningGraph, RunOptions, SessionHost } from "./session.ts";

/**
 * A host that loads every graph on all of several hosts and gives each run to the one that has least
 * to do, of equals the first. The hosts are threads: one that is busy keeps none from the others.
 */
export function spreadSessions(hosts: readonly SessionHost[]): SessionHost {
  return {
    create: async (graph, options) => {
      await using stack = new AsyncDisposableStack();
      const graphs = await settled(
        hosts.map(async (host) => stack.use(await host.create(graph, options))),
      );
      return new SpreadGraph(graphs, stack.move());
    },
  };
}

/** A graph that is loaded several times. */
class SpreadGraph implements RunningGraph {
  readonly #graphs: readonly RunningGraph[];
  /** How many runs each is at or will be. */
  readonly #runs: number[];

  readonly #resources: AsyncDisposable;

  constructor(graphs: readonly RunningGraph[], resources: AsyncDisposable) {
    this.#graphs = graphs;
    this.#resources = resources;
    this.#runs = graphs.map(() => 0);
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
    const index = this.#runs.indexOf(Math.min(...this.#runs));
    const graph = this.#graphs[index]!;
    this.#runs[index]!++;
    try {
      return await graph.run(feeds, fetches, options);
    } finally {
      this.#runs[index]!--;
    }
  }

  async runAll(
    inputs: readonly Feeds[],
    options?: RunOptions,
  ): Promise<Record<string, Tensor>[]> {
    return await settled(inputs.map((feeds) => this.run(feeds, undefined, options)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]();
  }
}
