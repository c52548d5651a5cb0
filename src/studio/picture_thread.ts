/** A thread that decodes, measures and resizes pictures, so that the one that answers stays free. */
import { RequestError } from "../errors.ts";
import { ImageError, type PictureFormat } from "../image/mod.ts";
import type { Texts } from "../language.ts";
import type { MaskOptions } from "./made_mask.ts";
import type { ResizeOptions } from "./resize_picture.ts";

/** What a picture is like. */
export interface PictureMeasure {
  readonly width: number;
  readonly height: number;
  readonly format: PictureFormat;
  /** Whether it is transparent anywhere. */
  readonly isTransparent: boolean;
}

/** What is done to the bytes of a picture. */
type Task =
  | { readonly kind: "thumbnail" | "measure" }
  | { readonly kind: "resize"; readonly options: ResizeOptions }
  | { readonly kind: "mask"; readonly options: MaskOptions }
  | { readonly kind: "fill"; readonly mask: Uint8Array };

/** What the thread is asked. */
export type PictureWork = Task & { readonly id: number; readonly bytes: Uint8Array };

/** What the thread answers. */
export type PictureAnswer =
  & { readonly id: number }
  & (
    | { readonly file: Uint8Array<ArrayBuffer> }
    | { readonly measure: PictureMeasure }
    | { readonly problem: Texts<string>; readonly isRequest: boolean }
  );

type Worked = Extract<PictureAnswer, { file: unknown } | { measure: unknown }>;

/** Starts its thread with the first picture. */
export class PictureThread implements Disposable {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, PromiseWithResolvers<Worked>>();
  #nextId = 0;

  /**
   * Makes a picture small, as WebP.
   *
   * @throws {ImageError} When the bytes are no picture.
   */
  thumbnail(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    return this.#make({ kind: "thumbnail" }, bytes);
  }

  /**
   * Decodes a picture and tells its size.
   *
   * @throws {ImageError} When the bytes are no picture.
   */
  async measure(bytes: Uint8Array): Promise<PictureMeasure> {
    const worked = await this.#work({ kind: "measure" }, bytes);
    return (worked as Extract<Worked, { measure: unknown }>).measure;
  }

  /**
   * A picture in another size; see {@linkcode resizePicture}.
   *
   * @throws {ImageError} When the bytes are no picture.
   * @throws {RequestError} When the result would be too large.
   */
  resize(bytes: Uint8Array, options: ResizeOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.#make({ kind: "resize", options }, bytes);
  }

  /**
   * A mask as the model takes it; see {@linkcode madeMask}.
   *
   * @throws {ImageError} When the bytes are no picture.
   * @throws {RequestError} When it marks nothing.
   */
  mask(bytes: Uint8Array, options: MaskOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.#make({ kind: "mask", options }, bytes);
  }

  /**
   * A picture with its masked places filled; see {@linkcode filledPicture}.
   *
   * @throws {ImageError} When one of them is no picture.
   */
  fill(bytes: Uint8Array, mask: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    return this.#make({ kind: "fill", mask }, bytes);
  }

  [Symbol.dispose](): void {
    this.#worker?.terminate();
    this.#fail({ en: "The thread for pictures was closed.", zh: "处理图片的线程已关闭。" });
  }

  async #make(task: Task, bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.#work(task, bytes) as Extract<Worked, { file: unknown }>).file;
  }

  async #work(task: Task, bytes: Uint8Array): Promise<Worked> {
    this.#worker ??= this.#start();
    const id = this.#nextId++;
    const answer = Promise.withResolvers<Worked>();
    this.#waiting.set(id, answer);
    this.#worker.postMessage({ ...task, id, bytes } satisfies PictureWork);
    try {
      return await answer.promise;
    } finally {
      this.#waiting.delete(id);
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL("./_picture_worker.ts", import.meta.url), {
      type: "module",
    });
    worker.onmessage = ({ data }: MessageEvent<PictureAnswer>) => {
      const waiting = this.#waiting.get(data.id);
      if (!("problem" in data)) waiting?.resolve(data);
      else waiting?.reject(new (data.isRequest ? RequestError : ImageError)(data.problem));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      this.#worker = undefined;
      this.#fail({
        en: `The picture could not be read: ${event.message}`,
        zh: `无法读取图片：${event.message}`,
      });
    };
    return worker;
  }

  #fail(problem: Texts<string>): void {
    for (const { reject } of this.#waiting.values()) reject(new ImageError(problem));
  }
}
