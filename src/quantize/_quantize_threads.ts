import { mayStartThread } from "../threads.ts";
import { type Piece, type PieceAnswer, type PieceRequest, quantizePiece } from "./_piece.ts";

const WORKER = new URL("./_quantize_worker.ts", import.meta.url);
/** One thread reads and writes for so many. */
const MOST_THREADS = 12;

/** Threads that quantise pieces of matrices; each begins with its first piece. */
export class QuantizeThreads implements Disposable {
  /** How many pieces are worth asking for before the first answer is awaited. */
  readonly atOnce: number;
  readonly #threads: Thread[] = [];
  #next = 0;

  private constructor(atOnce: number) {
    this.atOnce = atOnce;
  }

  /** As many threads as there are cores; none where the program may not have them. */
  static async open(): Promise<QuantizeThreads> {
    const cores = Math.min(MOST_THREADS, navigator.hardwareConcurrency);
    return new QuantizeThreads(cores > 1 && await mayStartThread(WORKER) ? cores : 1);
  }

  /**
   * Quantises a piece, whose values are gone afterwards.
   *
   * @returns `undefined` where a value is no finite number.
   */
  async quantize(request: PieceRequest): Promise<Piece | undefined> {
    if (this.atOnce === 1) return quantizePiece(request);
    const place = this.#next++ % this.atOnce;
    this.#threads[place] ??= new Thread();
    return await this.#threads[place].quantize(request);
  }

  [Symbol.dispose](): void {
    for (const thread of this.#threads) thread.end();
  }
}

/** One worker, which answers in the order in which it is asked. */
class Thread {
  readonly #worker = new Worker(WORKER, { type: "module" });
  readonly #waiting: PromiseWithResolvers<Piece | undefined>[] = [];

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<PieceAnswer>) => {
      this.#waiting.shift()!.resolve(data.piece);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#waiting.shift()?.reject(new Error(event.message));
    };
  }

  quantize(request: PieceRequest): Promise<Piece | undefined> {
    const answer = Promise.withResolvers<Piece | undefined>();
    this.#waiting.push(answer);
    this.#worker.postMessage(request, [request.values.buffer as ArrayBuffer]);
    return answer.promise;
  }

  end(): void {
    this.#worker.terminate();
  }
}
