/** A thread that loads and runs graphs for {@linkcode SessionThread}. */
import { type RunningGraph, Session, SessionError } from "./session.ts";
import type { SessionAnswer, SessionRequest } from "./session_thread.ts";

/** The part of a worker's global scope that is needed here; lib.dom knows another one. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<SessionRequest>) => void;
  postMessage: (message: SessionAnswer, transfer: Transferable[]) => void;
};

const sessions = new Map<number, RunningGraph>();

scope.onmessage = async ({ data: request }) => {
  const { id } = request;
  const answer = (rest: Omit<SessionAnswer, "id"> = {}, buffers: ArrayBuffer[] = []) => {
    scope.postMessage({ id, ...rest }, buffers);
  };
  try {
    if ("load" in request) {
      sessions.set(id, await Session.create(...request.load));
      answer();
    } else if ("run" in request) {
      const [feeds, fetches] = request.run;
      const session = sessions.get(request.session)!;
      const outputs = fetches === undefined
        ? await session.run(feeds)
        : await session.run(feeds, fetches);
      const buffers = Object.values(outputs).map(({ data }) => data.buffer as ArrayBuffer);
      answer({ outputs }, buffers);
    } else {
      const session = sessions.get(request.free);
      sessions.delete(request.free);
      await session?.[Symbol.asyncDispose]();
      answer();
    }
  } catch (error) {
    const failure = error instanceof SessionError ? error.reason : String(error);
    answer({ failure });
  }
};
