/**
 * A studio on a thread of its own: while it draws, the thread that asks stays free for whoever else
 * has a question. When the thread ends, all its memory is given back, the GPU's too.
 *
 * @module
 */
import { NewBieError, RequestError } from "../errors.ts";
import type { PictureFormat } from "../image/mod.ts";
import type { Texts } from "../language.ts";
import type { Arithmetic } from "../machine/arithmetic.ts";
import type { PretrainedOptions } from "../pipeline/types.ts";
import type { Recipe } from "../recipe/mod.ts";
import { ChangedFileError } from "../safetensors/mod.ts";
import type { PictureRequest } from "./request.ts";

/** How to load the model: what {@linkcode Studio.open} takes, but for what cannot go to a thread. */
export type StudioOptions = Omit<PretrainedOptions, "log">;

/** What is known of a loaded model. */
export interface StudioFacts {
  readonly isDemo: boolean;
  /** Such as `cuda`, or `cuda:0 + cuda:1`. */
  readonly device: string;
  readonly dtype: string;
  readonly offload: string;
  readonly layout: string;
  readonly scheduler: { readonly name: string; readonly shift: number };
  /** Pixels; width and height of the training. */
  readonly defaultSize: number;
  /** Pixels; what width and height must be multiples of. */
  readonly sizeMultiple: number;
  /** Whether previews cost next to nothing. */
  readonly hasFastPreviews: boolean;
  /** The weights' file or folder by part. */
  readonly weights: Readonly<Record<string, string>>;
  /** The parts whose weights are those that checksums.txt lists. */
  readonly verified: readonly string[];
  /** The GPU, or the instructions of the CPU that it computes with. */
  readonly processor: string;
  /** Whose kernels a GPU computes with. */
  readonly kernels?: NonNullable<Arithmetic["kernels"]>;
}

/** What the thread is asked. */
export type StudioRequest =
  | { readonly open: { readonly model: string; readonly options: StudioOptions } }
  | {
    readonly make: {
      readonly id: number;
      readonly request: PictureRequest;
      readonly template?: string;
      readonly preset?: string;
      readonly format: PictureFormat;
      readonly texts: Readonly<Record<string, string>>;
    };
  }
  | { readonly abort: number }
  | { readonly previews: boolean }
  | { readonly close: true };

/** What the thread says. */
export type StudioAnswer =
  | { readonly log: string }
  | { readonly opened: StudioFacts }
  | { readonly step: StepNews & { readonly id: number } }
  | { readonly made: MadeFile & { readonly id: number } }
  | { readonly failed: Failure & { readonly id?: number } }
  | { readonly closed: true };

/** An error on its way between threads. */
export interface Failure {
  readonly texts: Texts<string>;
  readonly isRequest: boolean;
  /** A file of the model that is no longer what was opened. */
  readonly changedFile?: string;
}

/** A step that is done. */
export interface StepNews {
  /** Steps that are done. */
  readonly step: number;
  readonly steps: number;
  /** A JPEG, where previews are wanted. */
  readonly preview?: Uint8Array<ArrayBuffer>;
}

/** A picture as a file. */
export interface MadeFile {
  readonly file: Uint8Array<ArrayBuffer>;
  readonly recipe: Recipe;
  /** Pixels of the file, which may be others than those of the recipe: of what was enlarged. */
  readonly width: number;
  readonly height: number;
  /** What it took, without the encoding of the file. */
  readonly milliseconds: number;
}

/** How to look on, and how to stop. */
export interface ThreadMakeOptions {
  readonly template?: string | undefined;
  readonly preset?: string | undefined;
  readonly format?: PictureFormat;
  /** Further texts of the file by keyword. */
  readonly texts?: Readonly<Record<string, string>>;
  readonly onStep?: (step: StepNews) => void;
  readonly signal?: AbortSignal;
}

interface Waiting {
  readonly answer: PromiseWithResolvers<MadeFile>;
  readonly onStep: ThreadMakeOptions["onStep"];
}

const WORKER = new URL("./_studio_worker.ts", import.meta.url);
/** How long a thread may take to free its model before it is ended. */
const CLOSING_MILLISECONDS = 5000;

/** A loaded model on a thread of its own. Until it is disposed, it keeps the program from ending. */
export class StudioThread implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #opened = Promise.withResolvers<StudioFacts>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #log: (line: string) => void;
  #facts: StudioFacts | undefined;
  #nextId = 0;
  #ended: Error | undefined;

  private constructor(log: (line: string) => void) {
    this.#log = log;
    this.#worker = new Worker(WORKER, { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<StudioAnswer>) => this.#take(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end(
        new NewBieError({
          en: `The thread that draws has ended: ${event.message}`,
          zh: `绘图的线程已终止：${event.message}`,
        }),
      );
    };
    // What goes wrong is reported where it is awaited.
    this.#opened.promise.catch(() => {});
  }

  /**
   * Loads a model.
   *
   * @param model The folder of the model.
   * @param log Receives what a person should know about the loading, a line each.
   * @throws {NewBieError} When it cannot be loaded; see {@linkcode NewBieImagePipeline.fromPretrained}.
   */
  static async open(
    model: string,
    options: StudioOptions,
    log: (line: string) => void = () => {},
  ): Promise<StudioThread> {
    const thread = new StudioThread(log);
    thread.#post({ open: { model, options } });
    try {
      thread.#facts = await thread.#opened.promise;
    } catch (error) {
      thread.#worker.terminate();
      throw error;
    }
    return thread;
  }

  /** What was loaded. */
  get facts(): StudioFacts {
    return this.#facts!;
  }

  /** Whether the thread is gone, with its model: it makes no more pictures. */
  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Whether steps come with previews from now on; at first they do not. */
  set previews(isWanted: boolean) {
    this.#post({ previews: isWanted });
  }

  /**
   * Makes one picture.
   *
   * @throws {RequestError} When the request cannot be met.
   * @throws {ChangedFileError} When the model has to be loaded anew.
   * @throws The signal's reason, when it was aborted.
   */
  async make(request: PictureRequest, options: ThreadMakeOptions = {}): Promise<MadeFile> {
    const { template, preset, format = "png", texts = {}, onStep, signal } = options;
    signal?.throwIfAborted();
    if (this.#ended !== undefined) throw this.#ended;
    const id = this.#nextId++;
    const answer = Promise.withResolvers<MadeFile>();
    this.#waiting.set(id, { answer, onStep });
    const abort = () => this.#post({ abort: id });
    signal?.addEventListener("abort", abort);
    try {
      this.#post({
        make: {
          id,
          request,
          format,
          texts,
          ...(template === undefined ? {} : { template }),
          ...(preset === undefined ? {} : { preset }),
        },
      });
      return await answer.promise;
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#waiting.delete(id);
    }
  }

  /** Frees the model and ends the thread. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended === undefined) {
      this.#post({ close: true });
      let timer: ReturnType<typeof setTimeout> | undefined;
      const tooLate = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSING_MILLISECONDS);
      });
      await Promise.race([this.#closed.promise, tooLate]);
      clearTimeout(timer);
    }
    this.#end(new NewBieError({ en: "The model was given back.", zh: "模型已释放。" }));
  }

  #post(request: StudioRequest): void {
    this.#worker.postMessage(request);
  }

  #take(answer: StudioAnswer): void {
    if ("log" in answer) this.#log(answer.log);
    else if ("opened" in answer) this.#opened.resolve(answer.opened);
    else if ("closed" in answer) this.#closed.resolve();
    else if ("step" in answer) this.#waiting.get(answer.step.id)?.onStep?.(answer.step);
    else if ("made" in answer) this.#waiting.get(answer.made.id)?.answer.resolve(answer.made);
    else {
      const { id, texts, isRequest, changedFile } = answer.failed;
      const error = changedFile !== undefined
        ? new ChangedFileError(changedFile)
        : isRequest
        ? new RequestError(texts)
        : new NewBieError(texts);
      if (id === undefined) this.#opened.reject(error);
      else this.#waiting.get(id)?.answer.reject(error);
    }
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#worker.terminate();
    this.#opened.reject(error);
    this.#closed.resolve();
    for (const { answer } of this.#waiting.values()) answer.reject(error);
  }
}
