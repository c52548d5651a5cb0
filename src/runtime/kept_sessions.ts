import type { CompiledGraph } from "../onnx/mod.ts";
import type { RunningGraph, SessionHost, SessionOptions } from "./session.ts";

/**
 * A host whose sessions stay loaded from one use to the next: on a GPU the first run of a session takes
 * up to twenty milliseconds for each of its convolutions, for which cuDNN then chooses a kernel.
 */
export class KeptSessions implements SessionHost, AsyncDisposable {
  readonly #host: SessionHost;
  readonly #sessions = new Map<CompiledGraph, Promise<RunningGraph>>();

  constructor(host: SessionHost) {
    this.#host = host;
  }

  /**
   * A session of the graph, of which the options of its first use hold.
   *
   * @throws {SessionError} As that of the host itself.
   */
  async create(graph: CompiledGraph, options: SessionOptions): Promise<RunningGraph> {
    let loading = this.#sessions.get(graph);
    if (loading === undefined) {
      loading = this.#host.create(graph, options);
      this.#sessions.set(graph, loading);
    }
    const session = await loading.catch((error) => {
      if (this.#sessions.get(graph) === loading) this.#sessions.delete(graph);
      throw error;
    });
    return {
      run: session.run.bind(session) as RunningGraph["run"],
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  /** Frees all of them; they are loaded again when they are next asked for. */
  async [Symbol.asyncDispose](): Promise<void> {
    const loading = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of await Promise.allSettled(loading)) {
      // One that failed holds nothing, and whoever asked for it was told.
      if (session.status === "fulfilled") await session.value[Symbol.asyncDispose]();
    }
  }
}
