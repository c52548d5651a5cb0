import { NewBieError } from "../../errors.ts";

/** A part of the pipeline that is loaded when it is needed and, if so wished, freed afterwards. */
export class HeldPart<T extends AsyncDisposable> implements AsyncDisposable {
  readonly #load: () => Promise<T>;
  readonly #check: () => Promise<void>;
  readonly #keep: boolean;
  readonly #thread: Disposable | undefined;
  #value: Promise<T> | undefined;
  #users = 0;
  #disposed = false;

  /**
   * @param load Makes the part.
   * @param check Throws when the part's files are no longer what they were: using it then would
   *   draw wrong pictures, or worse.
   * @param keep Whether it stays loaded between uses.
   * @param thread What the part runs on, which ends with it.
   */
  constructor(
    load: () => Promise<T>,
    check: () => Promise<void>,
    keep: boolean,
    thread?: Disposable,
  ) {
    this.#load = load;
    this.#check = check;
    this.#keep = keep;
    this.#thread = thread;
  }

  /** Loads the part now, where it is kept. */
  async load(): Promise<void> {
    await this.use(() => Promise.resolve());
  }

  /**
   * Does the work with the loaded part; several uses at once share it.
   *
   * @throws {NewBieError} When the part was disposed.
   */
  async use<R>(work: (value: T) => Promise<R>): Promise<R> {
    if (this.#disposed) throw wasDisposed();
    this.#users++;
    try {
      await this.#check();
      this.#value ??= this.#load();
      // A part that failed to load is loaded again by the next use.
      this.#value.catch(() => this.#value = undefined);
      const result = await work(await this.#value);
      // What was made while the files changed is of neither.
      await this.#check();
      return result;
    } finally {
      this.#users--;
      if (!this.#keep || this.#disposed) await this.#freeIfUnused();
    }
  }

  /** Frees the part now, unless it is at work; the next use loads it again. */
  async free(): Promise<void> {
    await this.#freeIfUnused();
  }

  /** Frees the part, once the uses under way have ended, and refuses further ones. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.#freeIfUnused();
  }

  async #freeIfUnused(): Promise<void> {
    if (this.#users > 0) return;
    const value = this.#value;
    this.#value = undefined;
    // A part that failed to load holds nothing, and the failure was reported where it was asked
    // for.
    const loaded = await value?.catch(() => undefined);
    await loaded?.[Symbol.asyncDispose]();
    if (this.#disposed) this.#thread?.[Symbol.dispose]();
  }
}

/** For a part whose pipeline has given everything back. */
function wasDisposed(): NewBieError {
  return new NewBieError({
    en:
      "The model was given back: its pipeline was disposed and cannot be used again. Load it anew.",
    zh: "模型已释放：它的流水线已关闭，不能再用。请重新加载。",
  });
}
