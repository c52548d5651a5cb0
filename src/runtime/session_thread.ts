/**
 * Sessions on a thread of their own.
 *
 * ONNX Runtime's binding loads and runs a graph on the very thread that asks for it, which is busy
 * until it is done: of two large graphs the second waits for the first, and nothing else happens
 * meanwhile.
 *
 * @module
 */
import type { CompiledGraph } from "../onnx/mod.ts";
import { mayStartThread } from "../threads.ts";
import { aloneOnGpu, onGpu } from "./gpu_turns.ts";
import {
  type Feed,
  type Feeds,
  type Output,
  type RunningGraph,
  type RunOptions,
  sessionError,
  type SessionHost,
  type SessionOptions,
} from "./session.ts";

/** What the thread is asked; `id` is also the name of a session that is to be loaded. */
export type SessionRequest =
  & { readonly id: number }
  & (
    | { readonly load: readonly [graph: CompiledGraph, options: SessionOptions] }
    | {
      readonly session: number;
      readonly run: readonly [
        feeds: Readonly<Record<string, SentFeed>>,
        fetches?: readonly string[],
        options?: RunOptions,
      ];
      /** What nobody will ask for any more, once this has been run. */
      readonly drop: readonly number[];
    }
    | { readonly free: number }
  );

/** An input: one that is to be kept under a number, or that was kept under it. */
export type SentFeed = Feed & { readonly keep?: number } | { readonly kept: number };

/** Those of {@linkcode Session.run}. */
type RunArguments = readonly [feeds: Feeds, fetches?: readonly string[], options?: RunOptions];

/** Inputs of four prompts and their sizes are kept: some megabytes. */
const MOST_KEPT = 32;

/** What it answers to the request of the same `id`. */
export interface SessionAnswer {
  readonly id: number;
  /** Of a run. */
  readonly outputs?: Readonly<Record<string, Output>>;
  /** What went wrong. */
  readonly failure?: string;
}

/** A request without its number. */
type Asked = SessionRequest extends infer R ? R extends { id: number } ? Omit<R, "id"> : never
  : never;

/** The failure of whatever is asked of a thread that was disposed. */
const DISPOSED = "the thread was ended";

const WORKER = new URL("./_session_worker.ts", import.meta.url);

/**
 * A thread that loads and runs graphs; it begins with the first, or earlier. What goes to it is copied, constants
 * once; what it answers is not. When it ends unexpectedly, what was asked of it fails; a graph that is to run
 * later is loaded again, on a new thread. Until it is disposed, it keeps the program from ending.
 */
export class SessionThread implements SessionHost, Disposable {
  readonly #module: URL;
  #worker: Worker | undefined;
  /** The numbers of constants that the thread keeps; the one used last comes last. */
  readonly #kept = new Map<Feed["data"], number>();
  readonly #waiting = new Map<number, PromiseWithResolvers<SessionAnswer>>();
  readonly #asked = Promise.withResolvers<void>();
  #nextId = 0;
  /** What has a smaller number was asked of a thread that has ended. */
  #firstId = 0;
  #isDisposed = false;

  private constructor(module: URL) {
    this.#module = module;
  }

  /**
   * A thread; `undefined` where the program may not have one.
   *
   * @param module What runs there: it calls `answerRequests`.
   */
  static async open(module: URL = WORKER): Promise<SessionThread | undefined> {
    return await mayStartThread(module) ? new SessionThread(module) : undefined;
  }

  /** Begins the thread now, so that it has read its modules when something is first asked of it. */
  start(): void {
    if (!this.#isDisposed) this.#worker ??= this.#begun();
  }

  /** Resolves when something was asked of the thread. */
  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  /** @throws {SessionError} As a session of the calling thread does. */
  async create(graph: CompiledGraph, options: SessionOptions): Promise<RunningGraph> {
    const { device } = options;
    // Over the C interface cuDNN names kernels for convolutions, and tries none.
    const convolves = options.convolves && this.#module === WORKER;
    const load = async () => {
      const { id, failure } = await onGpu(device, () => this.#ask({ load: [graph, options] }));
      if (failure !== undefined) throw sessionError(graph.name, "load", failure);
      return id;
    };
    let session = await load();
    let reloading: Promise<void> | undefined;
    const reload = async () => {
      session = await load();
    };
    let isDisposed = false;
    const run = async (...run: RunArguments) => {
      if (isDisposed) throw sessionError(graph.name, "run", "the session was disposed");
      // Of several runs that find the thread ended, one loads the graph.
      if (this.#isGone(session)) {
        await (reloading ??= reload().finally(() => reloading = undefined));
      }
      const ask = () => this.#askOf(session, () => ({ session, ...this.#sent(run) }));
      const { outputs, failure } = await (convolves ? aloneOnGpu : onGpu)(device, ask);
      if (outputs === undefined) throw sessionError(graph.name, "run", failure);
      return outputs;
    };
    return {
      run: run as RunningGraph["run"],
      [Symbol.asyncDispose]: async () => {
        if (isDisposed) return;
        isDisposed = true;
        await onGpu(device, () => this.#askOf(session, () => ({ free: session })));
      },
    };
  }

  /** Ends the thread; its sessions should have been freed. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#end(DISPOSED);
  }

  /** A run as it goes to the thread: what that keeps is not copied again. */
  #sent([feeds, ...rest]: RunArguments) {
    const sent = Object.entries(feeds).map(([name, feed]): [string, SentFeed] => {
      if (!feed.constant) return [name, feed];
      const kept = this.#kept.get(feed.data);
      const number = kept ?? this.#nextId++;
      this.#kept.delete(feed.data);
      this.#kept.set(feed.data, number);
      return [name, kept === undefined ? { ...feed, keep: number } : { kept }];
    });
    const surplus = [...this.#kept].slice(0, Math.max(0, this.#kept.size - MOST_KEPT));
    for (const [data] of surplus) this.#kept.delete(data);
    const run = [Object.fromEntries(sent), ...rest] as const;
    return { run, drop: surplus.map(([, number]) => number) };
  }

  /** Whether a session ended with its thread, in whose place another may begin. */
  #isGone(session: number): boolean {
    return !this.#isDisposed && session < this.#firstId;
  }

  /** @param request Is made only when it will be sent: what it keeps is then on the thread. */
  async #askOf(session: number, request: () => Asked): Promise<SessionAnswer> {
    if (this.#isGone(session)) return { id: session, failure: "its thread has ended" };
    return await this.#ask(request());
  }

  async #ask(request: Asked): Promise<SessionAnswer> {
    const id = this.#nextId++;
    if (this.#isDisposed) return { id, failure: DISPOSED };
    const answer = Promise.withResolvers<SessionAnswer>();
    this.#waiting.set(id, answer);
    this.#worker ??= this.#begun();
    this.#worker.postMessage({ id, ...request });
    this.#asked.resolve();
    return await answer.promise;
  }

  #begun(): Worker {
    const worker = new Worker(this.#module, { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<SessionAnswer>) => {
      this.#waiting.get(data.id)?.resolve(data);
      this.#waiting.delete(data.id);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (this.#worker === worker) this.#end(`its thread has ended: ${event.message}`);
    };
    return worker;
  }

  /** Ends the thread with all that is on it, and tells everybody who waits. */
  #end(failure: string): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#firstId = this.#nextId;
    this.#kept.clear();
    for (const [id, { resolve }] of this.#waiting) resolve({ id, failure });
    this.#waiting.clear();
  }
}
