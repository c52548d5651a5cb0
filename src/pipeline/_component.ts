/** A part of the pipeline that is loaded when it is needed and, if so wished, freed afterwards. */
export class Component<T extends AsyncDisposable> implements AsyncDisposable {
  readonly #load: () => Promise<T>;
  readonly #keep: boolean;
  #value: Promise<T> | undefined;
  #users = 0;

  /** @param keep Whether it stays loaded between uses. */
  constructor(load: () => Promise<T>, keep: boolean) {
    this.#load = load;
    this.#keep = keep;
  }

  /** Loads the part now, for a component that is kept. */
  async load(): Promise<void> {
    await this.use(() => Promise.resolve());
  }

  /** Does the work with the loaded part; several uses at once share it. */
  async use<R>(work: (value: T) => Promise<R>): Promise<R> {
    this.#users++;
    try {
      this.#value ??= this.#load();
      // A part that failed to load must not stay failed for ever.
      this.#value.catch(() => this.#value = undefined);
      return await work(await this.#value);
    } finally {
      if (--this.#users === 0 && !this.#keep) await this[Symbol.asyncDispose]();
    }
  }

  /** Frees the part if it is loaded; the next use loads it again. */
  async [Symbol.asyncDispose](): Promise<void> {
    const value = this.#value;
    this.#value = undefined;
    // One that failed to load holds nothing, and whoever asked for it knows.
    const loaded = await value?.catch(() => undefined);
    await loaded?.[Symbol.asyncDispose]();
  }
}
