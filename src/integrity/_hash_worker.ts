/** A thread that takes checksums: a path comes in, counts of bytes and a result go out. */
import { type HashOutcome, hashOutcome } from "./hash_file.ts";

/** What the thread says. */
export type WorkerMessage = { readonly bytes: number } | { readonly outcome: HashOutcome };

/** The part of a worker's global scope that is needed here; lib.dom knows another one. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<string>) => void;
  postMessage: (message: WorkerMessage) => void;
};

scope.onmessage = async ({ data: path }) => {
  const onBytes = (bytes: number) => scope.postMessage({ bytes });
  scope.postMessage({ outcome: await hashOutcome(path, { onBytes }) });
};
