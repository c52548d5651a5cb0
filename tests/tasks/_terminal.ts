/** A task at a pseudo-terminal, driven as a person would. */
import * as pty from "@lydell/node-pty";
import { stripVTControlCharacters } from "node:util";
import { ROOT } from "./_task_command.ts";

const PATIENCE_MILLISECONDS = 90_000;

/** The key. */
export const CTRL_C = "\x03";
const ENTER = "\r";
export const UP = "\x1b[A";

/** A running task, and all that its terminal showed. */
export class Terminal implements AsyncDisposable {
  readonly #process: pty.IPty;
  readonly #exited: Promise<number>;
  #shown = "";
  #read = 0;
  #wake = () => {};

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#process = pty.spawn(Deno.execPath(), ["task", ...args], {
      cols: 120,
      rows: 40,
      cwd: ROOT.pathname,
      name: env["TERM"] ?? "xterm-256color",
      env: { ...Deno.env.toObject(), LC_ALL: "C", ...env },
    });
    this.#process.onData((data) => {
      this.#shown += data;
      this.#wake();
    });
    this.#exited = new Promise((resolve) =>
      this.#process.onExit(({ exitCode }) => {
        resolve(exitCode);
        this.#wake();
      })
    );
  }

  /** All that was shown, without colours and movements. */
  get shown(): string {
    return stripVTControlCharacters(this.#shown);
  }

  /** All that was sent to the terminal. */
  get raw(): string {
    return this.#shown;
  }

  /** Presses keys. */
  type(keys: string): void {
    this.#process.write(keys);
  }

  /**
   * Waits until something new is shown that matches.
   *
   * @returns The match; what comes next is looked for behind it.
   */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    const end = Date.now() + PATIENCE_MILLISECONDS;
    for (;;) {
      const match = pattern.exec(this.shown.slice(this.#read));
      if (match !== null) {
        this.#read += match.index + match[0].length;
        return match;
      }
      const rest = end - Date.now();
      if (rest <= 0) throw new Error(`${pattern} did not appear. Shown so far:\n${this.shown}`);
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, rest);
      });
      clearTimeout(timer);
    }
  }

  /** Waits for a question and answers it. */
  async answer(question: RegExp, answer: string): Promise<void> {
    await this.until(question);
    this.type(answer + ENTER);
  }

  /** Waits for the end; its exit code. */
  exit(): Promise<number> {
    return this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#exited;
  }
}
