import { mayStartThread } from "../threads.ts";
import { type InitializerBytes, unpackWeight } from "./_unpack_weight.ts";
import type { UnpackAnswer } from "./_unpack_worker.ts";
import type { MemoryWeight } from "./graph.ts";

const WORKER = new URL("./_unpack_worker.ts", import.meta.url);
/** More of them wait for the memory. */
const MOST_THREADS = 12;

/** Threads that read weights and unpack their blocks; each begins when there is work for it. */
export class UnpackThreads implements Disposable {
  /** How many weights are worth asking for at a time: of more, some wait for a thread. */
  readonly atOnce = Math.min(MOST_THREADS, navigator.hardwareConcurrency);
  readonly #free: UnpackThread[] = [];
  readonly #all: UnpackThread[] = [];
  readonly #waiting: ((thread: UnpackThread) => void)[] = [];
  #mayStart: Promise<boolean> | undefined;

  /**
   * Makes the initializers of a weight; on this thread where the program may not have others, or has
   * one core.
   *
   * @returns Their bytes, by the initializers' names.
   * @throws {SafetensorsError} When the file became shorter.
   * @throws {RangeError} When the weight begins or ends within a byte or a block.
   */
  async unpack(weight: MemoryWeight): Promise<InitializerBytes> {
    this.#mayStart ??= mayStartThread(WORKER);
    if (this.atOnce === 1 || !await this.#mayStart) return await unpackWeight(weight);
    const thread = await this.#next();
    const made = await thread.unpack(weight);
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(thread);
    else next(thread);
    // Once more, so that the error is this thread's own.
    return made ?? await unpackWeight(weight);
  }

  async #next(): Promise<UnpackThread> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#all.length < this.atOnce) return this.#start();
    return await new Promise((resolve) => this.#waiting.push(resolve));
  }

  #start(): UnpackThread {
    const thread = new UnpackThread();
    this.#all.push(thread);
    return thread;
  }

  /** Ends them. */
  [Symbol.dispose](): void {
    for (const thread of this.#all.splice(0)) thread.end();
    this.#free.length = 0;
  }
}

/** One worker, which makes one weight at a time. */
class UnpackThread {
  readonly #worker = new Worker(WORKER, { type: "module" });

  /** @returns `undefined` where it could not. */
  async unpack(weight: MemoryWeight): Promise<InitializerBytes | undefined> {
    const answer = Promise.withResolvers<UnpackAnswer>();
    this.#worker.onmessage = ({ data }: MessageEvent<UnpackAnswer>) => answer.resolve(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      answer.resolve({});
    };
    this.#worker.postMessage(weight);
    return (await answer.promise).made;
  }

  end(): void {
    this.#worker.terminate();
  }
}
