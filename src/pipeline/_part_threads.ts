/**
 * The threads of a pipeline's parts. On CUDA a thread mostly waits, so each part can have its own. WebGPU
 * has one device for all sessions of the program, which only one thread may use.
 *
 * @module
 */
import { RequestError } from "../errors.ts";
import { nativeSessions } from "../kernels/native_sessions.ts";
import type { DtypePolicy } from "../onnx/mod.ts";
import type { SessionHost, SessionOptions } from "../runtime/session.ts";
import type { SessionThread } from "../runtime/session_thread.ts";
import { withOptions } from "../runtime/with_options.ts";
import { HeldPart } from "./parts/held_part.ts";

/** As many parts have a thread, at most. */
const MOST_THREADS = 3;

/**
 * Threads for a model's parts. Where they will probably be needed they are begun before that is known: each
 * takes a tenth of a second to read its modules.
 */
export class PartThreads implements Disposable {
  /** Begun, and nobody's. */
  readonly #idle: SessionThread[] = [];
  readonly #taken: SessionThread[] = [];
  #isHandedOver = false;
  #hasEnded = false;

  /** Begins threads of programs that may call native code by themselves. */
  async begin(): Promise<void> {
    for (let begun = 0; begun < MOST_THREADS; begun++) {
      const thread = await openThread(true);
      if (thread === undefined || this.#hasEnded) return;
      thread.start();
      this.#idle.push(thread);
    }
  }

  /**
   * A thread for a part; `undefined` where the program may not have one.
   *
   * @param isNative Whether the program may call native code by itself.
   */
  async take(isNative: boolean): Promise<SessionThread | undefined> {
    const thread = (isNative ? this.#idle.pop() : undefined) ?? await openThread(isNative);
    if (thread !== undefined) this.#taken.push(thread);
    return thread;
  }

  /** Those that parts have. */
  get taken(): readonly SessionThread[] {
    return this.#taken;
  }

  /** Leaves these to their parts, which end them. */
  handOver(): void {
    this.#isHandedOver = true;
  }

  /** Ends all that were not handed over. */
  [Symbol.dispose](): void {
    this.#hasEnded = true;
    const taken = this.#isHandedOver ? [] : this.#taken;
    for (const thread of [...this.#idle, ...taken]) thread[Symbol.dispose]();
  }
}

/** Where a part runs, and how long it stays. */
export interface PartPlace {
  readonly policy: DtypePolicy;
  /** How many threads compute an operator. */
  readonly computeThreads: number;
  /** On CUDA the GPU's number among those that CUDA shows to this program. */
  readonly deviceId: number;
  /** Whether it stays loaded. */
  readonly keep: boolean;
}

/** How a part is loaded and made ready. */
export interface ThreadedPart<T> {
  /** Throws when its files are no longer what they were. */
  readonly check: () => Promise<void>;
  readonly load: (host: SessionHost) => Promise<T>;
  readonly ownOperators?: SessionOptions["ownOperators"];
  /** Has the part do for the first time what takes longest then; nobody waits for it. */
  readonly warmUp?: (part: T) => Promise<unknown>;
}

/** Holds a part that works once a picture, on CUDA with a thread of its own. */
export async function holdThreaded<T extends AsyncDisposable>(
  { check, load, ownOperators, warmUp }: ThreadedPart<T>,
  { policy, computeThreads, deviceId, keep }: PartPlace,
  threads: PartThreads,
): Promise<HeldPart<T>> {
  const isNative = policy.ownOperators ?? false;
  const thread = policy.device === "cuda" ? await threads.take(isNative) : undefined;
  const options = {
    ...{ threads: computeThreads, deviceId, givesBack: true },
    ...(ownOperators && { ownOperators }),
  };
  const host = thread ?? (isNative ? nativeSessions() : undefined);
  const loaded = async () => {
    const part = await load(withOptions(options, host));
    if (keep && thread !== undefined) warmUp?.(part).catch(() => {});
    return part;
  };
  return new HeldPart(loaded, check, keep, thread);
}

/** @param isNative Whether the program may call native code by itself. */
async function openThread(isNative: boolean): Promise<SessionThread | undefined> {
  const { SessionThread } = await import("../runtime/session_thread.ts");
  if (!isNative) return await SessionThread.open();
  const { KERNEL_THREAD } = await import("../kernels/thread_module.ts");
  return await SessionThread.open(KERNEL_THREAD);
}

/** Several GPUs, each with a thread. */
export interface GpuThreads extends Disposable {
  readonly gpus: readonly { readonly deviceId: number; readonly thread: SessionThread }[];
}

/**
 * Gives each of several GPUs a thread; a single one has none.
 *
 * @throws {RequestError} When the program may not start threads.
 */
export async function openGpuThreads(deviceIds: readonly number[]): Promise<GpuThreads> {
  if (deviceIds.length === 1) return { gpus: [], [Symbol.dispose]: () => {} };
  const gpus = await Promise.all(deviceIds.map(async (deviceId) => {
    const thread = await openThread(true);
    if (thread === undefined) throw mayNotStartThreads();
    return { deviceId, thread };
  }));
  return { gpus, [Symbol.dispose]: () => gpus.forEach(({ thread }) => thread[Symbol.dispose]()) };
}

/** For several GPUs where the program may not start a thread for each. */
function mayNotStartThreads(): RequestError {
  return new RequestError(
    "Several GPUs need a thread each, and this program may not read the toolkit's own files, which a " +
      "thread is started from. Run it with --allow-read, or draw on one GPU.",
    {
      zh: "多块显卡需要各有一个线程，而本程序无权读取用来启动线程的工具箱自身文件。" +
        "请用 --allow-read 运行，或只用一块显卡。",
    },
  );
}
