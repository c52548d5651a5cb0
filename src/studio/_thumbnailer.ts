/** A thread that makes pictures small. */
import { ImageError } from "../image/mod.ts";
import type { Texts } from "../language.ts";

/** What the thread answers to the bytes of a picture. */
export type ThumbnailAnswer =
  & { readonly id: number }
  & ({ readonly small: Uint8Array<ArrayBuffer> } | { readonly problem: Texts<string> });

/** Starts its thread with the first picture. */
export class Thumbnailer implements Disposable {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, PromiseWithResolvers<Uint8Array<ArrayBuffer>>>();
  #nextId = 0;

  /**
   * Makes a picture small.
   *
   * @param bytes The file; it is given away.
   * @throws {ImageError} When it is damaged.
   */
  async make(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    this.#worker ??= this.#start();
    const id = this.#nextId++;
    const answer = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    this.#waiting.set(id, answer);
    this.#worker.postMessage({ id, bytes }, [bytes.buffer]);
    try {
      return await answer.promise;
    } finally {
      this.#waiting.delete(id);
    }
  }

  [Symbol.dispose](): void {
    this.#worker?.terminate();
    this.#fail({ en: "The gallery was closed.", zh: "图库已关闭。" });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./_thumbnail_worker.ts", import.meta.url), {
      type: "module",
    });
    worker.onmessage = ({ data }: MessageEvent<ThumbnailAnswer>) => {
      const waiting = this.#waiting.get(data.id);
      if ("small" in data) waiting?.resolve(data.small);
      else waiting?.reject(new ImageError(data.problem));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      this.#worker = undefined;
      this.#fail({
        en: `The picture could not be made small: ${event.message}`,
        zh: `无法生成缩略图：${event.message}`,
      });
    };
    return worker;
  }

  #fail(problem: Texts<string>): void {
    for (const { reject } of this.#waiting.values()) reject(new ImageError(problem));
  }
}
