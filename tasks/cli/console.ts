/** Questions and answers, on a terminal or through a pipe. */
import readline from "node:readline";
import process from "node:process";
import { type Message, RequestError } from "../../src/errors.ts";
import type { Texts } from "../../src/language.ts";
import type { Completion } from "../../src/studio/prompt_completion.ts";
import { visible } from "../../src/shown.ts";
import { language } from "./language.ts";
import { type Painted, print } from "./print.ts";

/** The person pressed Ctrl-C. */
export class Interrupted extends Error {
  override name = "Interrupted";
}

/**
 * A text without controls: in a line that is edited they would count as keys, and on the screen they
 * would steer the terminal.
 */
function typeable(text: string): string {
  return text.replace(/\p{Cc}/gu, "");
}

/** How a question is asked. */
export interface AskOptions {
  /** What stands in the line already, to be changed; only on a terminal. */
  readonly prefill?: string;
  /** Former answers for the arrow keys, the latest first; the answer is not added. */
  readonly history?: readonly string[];
  /** What Tab does with what stands in the line before the cursor; only on a terminal. */
  readonly complete?: ((line: string) => Completion) | undefined;
}

/**
 * Reads lines with editing and history. Between questions the terminal is as it was, so that Ctrl-C
 * is a signal then.
 */
export class Console {
  readonly isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  readonly #lines: string[] = [];
  readonly #interface: readline.Interface & { history?: string[] };
  #complete: AskOptions["complete"];
  #ended = false;
  #interrupted = false;
  /** Wakes whoever waits for a line. */
  #wake = () => {};

  constructor() {
    this.#interface = readline.createInterface({
      input: process.stdin,
      ...(this.isTerminal ? { output: process.stdout, terminal: true } : {}),
      // Of a paste, readline takes tabs as they are.
      completer: (line: string): [string[], string] => {
        const { candidates = [], typed = line } = this.#complete?.(line) ?? {};
        return [candidates.map(typeable), typed];
      },
    });
    this.#interface.on("line", (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    this.#interface.on("close", () => {
      this.#ended = true;
      this.#wake();
    });
    this.#interface.on("SIGINT", () => {
      this.#interrupted = true;
      this.#wake();
    });
  }

  /** Says something, in lines of its own. */
  say(text: Message | Painted): void {
    print(text);
  }

  /**
   * Says why an answer cannot be taken. A person may answer again.
   *
   * @param report The same with colours, for a terminal.
   * @throws {RequestError} Through a pipe: the answers that follow would answer other questions.
   */
  refuse(problem: Texts<Message>, report?: Painted): void {
    const error = new RequestError(problem);
    if (!this.isTerminal) throw error;
    print(report ?? error.explain(language).split("\n"));
  }

  /**
   * Asks, and waits for one line.
   *
   * @returns The line, or undefined where the input has ended.
   * @throws {Interrupted} When Ctrl-C was pressed.
   */
  async ask(question: string, { prefill = "", history = [], complete }: AskOptions = {}) {
    this.#complete = complete;
    if (this.#ended) return this.#lines.shift();
    if (this.isTerminal) {
      this.#interface.history = history.map(typeable);
      this.#interface.setPrompt(visible(question));
      this.#interface.prompt();
      // Lines that were typed ahead answer the question without a change.
      if (this.#lines.length === 0 && prefill !== "") this.#interface.write(typeable(prefill));
    } else {
      Deno.stdout.writeSync(new TextEncoder().encode(visible(question)));
    }
    const line = await this.next();
    if (!this.isTerminal) print("");
    return line;
  }

  /**
   * The next line if it comes within so many milliseconds, without taking it: whether a paste goes
   * on. Undefined where none comes.
   */
  async peek(milliseconds: number): Promise<string | undefined> {
    if (this.#lines.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#lines[0];
  }

  /** Whether a line has begun that nobody ended: the end of a paste without a line end. */
  get hasBegunLine(): boolean {
    return this.isTerminal && (this.#interface.line ?? "") !== "";
  }

  /** Whether the input has ended. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** The lines that have come and were not taken yet. */
  waiting(): readonly string[] {
    return this.#lines;
  }

  /**
   * Waits for one more line, without a question.
   *
   * @throws {Interrupted} When Ctrl-C was pressed.
   */
  async next(): Promise<string | undefined> {
    while (this.#lines.length === 0 && !this.#ended && !this.#interrupted) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#interrupted) {
      this.#interrupted = false;
      throw new Interrupted();
    }
    return this.#lines.shift();
  }

  /** Does something during which Ctrl-C is a signal, and keys wait. */
  async away<T>(work: () => Promise<T>): Promise<T> {
    if (!this.isTerminal || this.#ended) return await work();
    this.#interface.pause();
    process.stdin.setRawMode(false);
    try {
      return await work();
    } finally {
      process.stdin.setRawMode(true);
      this.#interface.resume();
    }
  }

  /** Gives the terminal back. */
  [Symbol.dispose](): void {
    this.#interface.close();
  }
}
