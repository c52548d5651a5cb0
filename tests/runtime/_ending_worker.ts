/** A thread that ends by itself when a run is given `ends`. */
import { answerRequests } from "../../src/runtime/answer_requests.ts";
import type { Feeds, RunningGraph } from "../../src/runtime/session.ts";
import { type Tensor, tensor } from "../../src/tensor.ts";

/** Graphs that this thread was asked to load. */
let loads = 0;

const graph: Pick<RunningGraph, "run"> & AsyncDisposable = {
  run: async ({ ends, given }: Feeds): Promise<Record<string, Tensor>> => {
    if (ends !== undefined) {
      setTimeout(() => {
        throw new Error("struck");
      }, 0);
      // No answer: the thread ends before.
      await new Promise(() => {});
    }
    return {
      loads: tensor(Float32Array.of(loads), [1]),
      ...(given === undefined ? {} : { given: tensor(Float32Array.from(given.data, Number), [1]) }),
    };
  },
  [Symbol.asyncDispose]: () => Promise.resolve(),
};
answerRequests({
  create: () => {
    loads++;
    return Promise.resolve(graph);
  },
});
