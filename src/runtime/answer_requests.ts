/** The other side of {@linkcode SessionThread}: a thread that loads and runs graphs for it. */
import {
  type Feed,
  type Feeds,
  type RunningGraph,
  SessionError,
  type SessionHost,
} from "./session.ts";
import type { SentFeed, SessionAnswer, SessionRequest } from "./session_thread.ts";

/** The part of a worker's global scope that is needed here; lib.dom knows another one. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<SessionRequest>) => void;
  postMessage: (message: SessionAnswer, transfer: Transferable[]) => void;
};

/**
 * Answers from now on what this thread is asked.
 *
 * @param host Where the graphs are loaded and run: on this thread.
 */
export function answerRequests(host: SessionHost): void {
  const sessions = new Map<number, RunningGraph>();
  /** What stays the same between runs, by the numbers that the other side gave it. */
  const constants = new Map<number, Feed>();

  const received = (feeds: Readonly<Record<string, SentFeed>>): Feeds =>
    Object.fromEntries(
      Object.entries(feeds).map(([name, sent]) => {
        if ("kept" in sent) return [name, constants.get(sent.kept)!];
        const { keep, ...feed } = sent;
        if (keep !== undefined) constants.set(keep, feed);
        return [name, feed];
      }),
    );

  scope.onmessage = async ({ data: request }) => {
    const { id } = request;
    const answer = (rest: Omit<SessionAnswer, "id"> = {}, buffers: ArrayBuffer[] = []) => {
      scope.postMessage({ id, ...rest }, buffers);
    };
    try {
      if ("load" in request) {
        sessions.set(id, await host.create(...request.load));
        answer();
      } else if ("run" in request) {
        const { run: [sent, fetches, options], drop } = request;
        const feeds = received(sent);
        drop.forEach((kept) => constants.delete(kept));
        const session = sessions.get(request.session)!;
        const outputs = fetches === undefined
          ? await session.run(feeds, fetches, options)
          : await session.run(feeds, fetches, options);
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
}
