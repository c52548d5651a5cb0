import type { SessionHost, SessionOptions } from "./session.ts";

/**
 * A host whose sessions have some options where they are not told otherwise.
 *
 * @param host By default sessions of the thread that asks; ONNX Runtime is not loaded before the first.
 */
export function withOptions(
  given: Pick<SessionOptions, "threads" | "deviceId" | "ownOperators" | "givesBack">,
  host?: SessionHost,
): SessionHost {
  return {
    create: async (graph, options) => {
      const target: SessionHost = host ?? (await import("./session.ts")).Session;
      return await target.create(graph, { ...given, ...options });
    },
  };
}
