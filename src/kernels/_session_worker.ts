/** A thread for {@linkcode SessionThread} that also has operators of our own. */
import { answerRequests } from "../runtime/answer_requests.ts";
import { Session } from "../runtime/session.ts";

answerRequests({
  create: async (graph, options) => {
    const { ownOperators, deviceId } = options;
    if (ownOperators === undefined) return await Session.create(graph, options);
    const { kernelSessions } = await import("./mod.ts");
    const host = await kernelSessions(ownOperators, deviceId);
    return await host.create(graph, options);
  },
});
