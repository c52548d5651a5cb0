import type { SessionHost } from "./session.ts";

/**
 * A host whose sessions compute with a given number of threads.
 *
 * @param host By default sessions of the thread that asks; ONNX Runtime is not loaded before the first.
 */
export function withThreads(threads: number, host?: SessionHost): SessionHost {
  return {
    create: async (graph, options) => {
      const target: SessionHost = host ?? (await import("./session.ts")).Session;
      return await target.create(graph, { threads, ...options });
    },
  };
}
