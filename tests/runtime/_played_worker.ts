/** A thread whose graphs say how each run is asked for: 1 where it is to give memory back. */
import { answerRequests } from "../../src/runtime/answer_requests.ts";
import type { RunningGraph, RunOptions } from "../../src/runtime/session.ts";
import { tensor } from "../../src/tensor.ts";

const graph: Pick<RunningGraph, "run"> & AsyncDisposable = {
  run: (_: unknown, _fetches?: readonly string[], { givesBack }: RunOptions = {}) =>
    Promise.resolve({ asked: tensor(Float32Array.of(givesBack ? 1 : 0), [1]) }),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};
answerRequests({ create: () => Promise.resolve(graph) });
