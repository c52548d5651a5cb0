/** A thread that makes weights in memory for {@linkcode UnpackThreads}, one at a time. */
import type { MemoryWeight } from "./graph.ts";
import { type InitializerBytes, unpackWeight } from "./_unpack_weight.ts";

/** What the thread answers: without bytes, that it could not make them. */
export interface UnpackAnswer {
  readonly made?: InitializerBytes;
}

/** The part of a worker's global scope that is needed here; lib.dom knows another one. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<MemoryWeight>) => void;
  postMessage: (answer: UnpackAnswer, transfer: Transferable[]) => void;
};

scope.onmessage = async ({ data }) => {
  try {
    const made = await unpackWeight(data);
    scope.postMessage({ made }, Object.values(made).map(({ buffer }) => buffer));
  } catch {
    scope.postMessage({}, []);
  }
};
