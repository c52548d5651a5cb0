import type { SessionHost } from "../runtime/session.ts";

/**
 * Where graphs run over ONNX Runtime's C interface, on the thread that asks: those with operators of our
 * own where the options say so, and all others. Nothing native is loaded before the first.
 */
export function nativeSessions(): SessionHost {
  return {
    create: async (graph, options) => {
      const { ownOperators, deviceId } = options;
      const { kernelSessions, plainSessions } = await import("./mod.ts");
      const host = ownOperators === undefined
        ? plainSessions()
        : await kernelSessions(ownOperators, deviceId);
      return await host.create(graph, options);
    },
  };
}
