/** A thread for {@linkcode SessionThread} that also has operators of our own. */
import { answerRequests } from "../runtime/answer_requests.ts";

answerRequests({
  create: async (graph, options) => {
    const { ownOperators, deviceId } = options;
    const { kernelSessions, plainSessions } = await import("./mod.ts");
    const host = ownOperators === undefined
      ? plainSessions()
      : await kernelSessions(ownOperators, deviceId);
    return await host.create(graph, options);
  },
});
