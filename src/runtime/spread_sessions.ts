/**
 * One graph on several GPUs, for runs that do not depend on each other.
 *
 * @module
 */
import type { Tensor } from "../tensor.ts";
import type { Feeds, Output, RunningGraph, SessionHost } from "./session.ts";

/**
 * A host that loads every graph on all of several hosts and gives each run to the one that has least
 * to do, of equals the first. The hosts are threads: one that is busy keeps none from the others.
 */
export function spreadSessions(hosts: readonly SessionHost[]): SessionHost {
  return {
    create: async (graph, options) => {
      const ends = await Promise.allSettled(hosts.map((host) => host.create(graph, options)));
      const loaded = ends.flatMap((end) => end.status === "fulfilled" ? [end.value] : []);
      const failed = ends.find((end) => end.status === "rejected");
      if (failed === undefined) return new SpreadGraph(loaded);
      await freeAll(loaded);
      throw failed.reason;
    },
  };
}

/** A graph that is loaded several times. */
class SpreadGraph implements RunningGraph {
  readonly #graphs: readonly RunningGraph[];
  /** How many runs each is at or will be. */
  readonly #runs: number[];

  constructor(graphs: readonly RunningGraph[]) {
    this.#graphs = graphs;
    this.#runs = graphs.map(() => 0);
  }

  async run(feeds: Feeds): Promise<Record<string, Tensor>>;
  async run(feeds: Feeds, fetches: readonly string[]): Promise<Record<string, Output>>;
  async run(feeds: Feeds, fetches?: readonly string[]): Promise<Record<string, Output>> {
    const index = this.#runs.indexOf(Math.min(...this.#runs));
    const graph = this.#graphs[index]!;
    this.#runs[index]!++;
    try {
      return await (fetches === undefined ? graph.run(feeds) : graph.run(feeds, fetches));
    } finally {
      this.#runs[index]!--;
    }
  }

  async runAll(inputs: readonly Feeds[]): Promise<Record<string, Tensor>[]> {
    const ends = await Promise.allSettled(inputs.map((feeds) => this.run(feeds)));
    return ends.map((end) => {
      if (end.status === "rejected") throw end.reason;
      return end.value;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await freeAll(this.#graphs);
  }
}

async function freeAll(graphs: readonly RunningGraph[]): Promise<void> {
  await Promise.all(graphs.map((graph) => graph[Symbol.asyncDispose]()));
}
