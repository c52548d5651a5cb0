import { stat } from "node:fs/promises";
import { mayStartThread } from "../threads.ts";
import { type HashOutcome, hashOutcome } from "./hash_file.ts";
import type { WorkerMessage } from "./_hash_worker.ts";

export type { HashOutcome };

/** How to take many checksums. */
export interface HashFilesOptions {
  /** Ends the work; what is thrown then is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Is told how many bytes have been read, and how many there are in all files. */
  readonly onProgress?: ((bytes: number, total: number) => void) | undefined;
  /**
   * How many files at once, each in a thread of its own.
   *
   * @default The machine's cores, at most 8; 1 where there is little to read.
   */
  readonly threads?: number | undefined;
}

/** One core hashes 1.6 GB/s, so this many keep up with any disk. */
const MOST_THREADS = 8;
/** Starting a thread takes as long as hashing this many bytes. */
const BYTES_WORTH_THREADS = 1 << 28;

const WORKER = new URL("./_hash_worker.ts", import.meta.url);

/**
 * The SHA-256 of each of many files, read once and in pieces. One that cannot be read does not keep
 * the others from being read.
 *
 * @returns As many as there are paths, in the same order.
 * @throws The signal's reason, when it was aborted.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const [first, second] = await hashFiles(["deno.json", "no/such/file"]);
 * assert.match(first!.sha256!, /^[0-9a-f]{64}$/);
 * assert.match(second!.problem!.en, /no\/such\/file/);
 * ```
 */
export async function hashFiles(
  paths: readonly string[],
  { signal, onProgress, threads }: HashFilesOptions = {},
): Promise<HashOutcome[]> {
  const sizes = await Promise.all(
    paths.map((path) => stat(path).then(({ size }) => size, () => 0)),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const wanted = threads ??
    (total < BYTES_WORTH_THREADS ? 1 : Math.min(MOST_THREADS, navigator.hardwareConcurrency));
  let done = 0;
  const onBytes = (count: number) => onProgress?.(done += count, total);
  const outcomes = new Array<HashOutcome>(paths.length);
  // The largest first, so that no thread still works on a large file when all others are done.
  const queue = [...paths.keys()].sort((a, b) => sizes[b]! - sizes[a]!);
  const work = async (hash: (path: string) => Promise<HashOutcome>) => {
    for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
      signal?.throwIfAborted();
      outcomes[index] = await hash(paths[index]!);
    }
  };
  const count = Math.min(wanted, paths.length);
  if (count <= 1 || !await mayStartThread(WORKER)) {
    await work((path) => hashOutcome(path, { signal, onBytes }));
    return outcomes;
  }
  const pool = Array.from({ length: count }, () => new HashThread(onBytes, signal));
  try {
    await Promise.all(pool.map((thread) => work((path) => thread.hash(path))));
  } finally {
    for (const thread of pool) thread.end();
  }
  return outcomes;
}

/** One worker, which takes one checksum at a time. */
class HashThread {
  readonly #worker = new Worker(WORKER, { type: "module" });
  readonly #onBytes: (count: number) => void;
  readonly #signal: AbortSignal | undefined;

  constructor(onBytes: (count: number) => void, signal: AbortSignal | undefined) {
    this.#onBytes = onBytes;
    this.#signal = signal;
  }

  hash(path: string): Promise<HashOutcome> {
    return new Promise((resolve, reject) => {
      this.#signal?.addEventListener("abort", () => reject(this.#signal!.reason), { once: true });
      this.#worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => {
        if ("bytes" in data) this.#onBytes(data.bytes);
        else resolve(data.outcome);
      };
      this.#worker.onerror = (event) => {
        event.preventDefault();
        resolve({ problem: { en: event.message, zh: event.message } });
      };
      this.#worker.postMessage(path);
    });
  }

  end(): void {
    this.#worker.terminate();
  }
}
