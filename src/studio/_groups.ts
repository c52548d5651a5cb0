/** Lets work of one kind go on at the same time, and work of another kind wait for its end, in turn. */
export class Groups {
  #kind = "";
  #members = 0;
  /** What waits, in the order in which it came. */
  readonly #waiting: { readonly kind: string; readonly enter: () => void }[] = [];

  /** Resolves when work of a kind may begin; it has ended when what this resolves to is disposed. */
  async enter(kind: string): Promise<Disposable> {
    if (this.#members > 0 && (kind !== this.#kind || this.#waiting.length > 0)) {
      await new Promise<void>((enter) => this.#waiting.push({ kind, enter }));
    } else {
      this.#kind = kind;
      this.#members++;
    }
    return { [Symbol.dispose]: () => this.#leave() };
  }

  #leave(): void {
    if (--this.#members > 0) return;
    const [first] = this.#waiting;
    if (first === undefined) return;
    this.#kind = first.kind;
    while (this.#waiting[0]?.kind === this.#kind) {
      this.#members++;
      this.#waiting.shift()!.enter();
    }
  }
}
