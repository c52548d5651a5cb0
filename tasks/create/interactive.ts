/** The interactive studio: asks, makes pictures, and asks again. */
import { RequestError } from "../../src/mod.ts";
import { MAX_PROMPT_LENGTH } from "../../src/prompt/mod.ts";
import {
  type AskedSettings,
  COUNT,
  fromText,
  type Kind,
  type Leaf,
  leavesOf,
  mergeSettings,
  nested,
  SETTINGS,
  toText,
  valueAt,
  wrongValue,
} from "../../src/settings/mod.ts";
import { folderOfDay, pictureName } from "../../src/studio/outputs.ts";
import { readText } from "../../src/studio/read_text.ts";
import { parseSize } from "../../src/studio/request.ts";
import type { Studio } from "../../src/studio/studio.ts";
import { Console, Interrupted } from "../cli/console.ts";
import { makePictures, savedLine, type ShowOptions } from "./picture.ts";
import { both, text } from "./texts.ts";
import { namedFile } from "../cli/prompt_input.ts";
import { examinePrompt, isUnfinished } from "../cli/prompt_check.ts";
import { language, linesOfBoth } from "../cli/task.ts";

/** Lines that come within this time belong to one paste. */
const PASTE_MILLISECONDS = 60;

/** What the answers begin with. */
export interface Defaults {
  readonly request: AskedSettings;
  readonly name: string;
  readonly count: number;
}

/** Asks for pictures and makes them until the person leaves. */
export async function runInteractive(
  studio: Studio,
  defaults: Defaults,
  options: ShowOptions,
): Promise<void> {
  const folder = folderOfDay(new Date());
  using console = new Console();
  using interruption = new Interruption(console.isTerminal);
  const sitting = new Sitting(console, studio, defaults);
  console.say(text.promptHint);
  try {
    for (;;) {
      const asked = await sitting.ask();
      if (asked === undefined) break;
      const made = await make(console, studio, folder, asked, options, interruption);
      if (made) sitting.remember(asked);
    }
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    console.say("");
  }
  console.say(text.goodbye);
}

type Asked = Awaited<ReturnType<Sitting["ask"]>> & object;

async function make(
  console: Console,
  studio: Studio,
  folder: string,
  { request, name, count }: Asked,
  options: ShowOptions,
  interruption: Interruption,
): Promise<boolean> {
  const signal = interruption.next();
  try {
    await console.away(async () => {
      await makePictures(studio, request, {
        ...options,
        folder,
        name,
        count,
        signal,
        onSaved: (picture) => console.say(savedLine(picture)),
      });
    });
    return true;
  } catch (error) {
    if (signal.aborted) {
      console.say(text.cancelled);
      return true;
    }
    console.refuse(linesOfBoth(error));
    return false;
  }
}

/**
 * Ctrl-C while pictures are made. The listener stays for the whole sitting: the signal may come
 * twice, from the terminal and from `deno task`, and the second one must not end the process.
 */
class Interruption {
  readonly #isTerminal: boolean;
  readonly #abort = () => this.#controller.abort();
  #controller = new AbortController();

  constructor(isTerminal: boolean) {
    this.#isTerminal = isTerminal;
    if (isTerminal) Deno.addSignalListener("SIGINT", this.#abort);
  }

  /** Aborted by the next Ctrl-C. */
  next(): AbortSignal {
    this.#controller = new AbortController();
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    if (this.#isTerminal) Deno.removeSignalListener("SIGINT", this.#abort);
  }
}

/** Remembers what was answered before. */
class Sitting {
  readonly #console: Console;
  readonly #studio: Studio;
  #defaults: Defaults;
  /** Former prompts, each in one line, the latest first. */
  readonly #prompts: string[] = [];

  constructor(console: Console, studio: Studio, defaults: Defaults) {
    this.#console = console;
    this.#studio = studio;
    this.#defaults = defaults;
  }

  /** One round of questions; undefined when the person leaves. */
  async ask() {
    const prompt = await this.#prompt();
    if (prompt === undefined) return undefined;
    let { request, name, count } = this.#defaults;
    name = await this.#answer(text.askOutput(name), pictureName(name), pictureName);
    for (const { label, leaves } of questionsOf()) {
      const values = leaves.map(({ path, setting }) => {
        const value = valueAt(request, path);
        return value === undefined ? undefined : toText(setting.kind, value);
      });
      const byDefault = values.includes(undefined) ? text.random : values.join("x");
      const answer = await this.#answer(
        text.ask(label, byDefault),
        {},
        (answer) => leaves.length > 1 ? this.#size(answer) : answerTo(leaves[0]!, answer),
      );
      request = mergeSettings([request, answer]);
    }
    count = await this.#answer(
      text.ask(COUNT.question[language], String(count)),
      count,
      (answer) => read(COUNT.kind, answer),
    );
    // Ctrl-D leaves; a pipe may end where everything that follows is to be the default.
    if (this.#console.isTerminal && this.#console.hasEnded) return undefined;
    return { request: { ...request, prompt }, name, count };
  }

  /** What was accepted is the default of the next picture, but for the seed and the name. */
  remember({ request, count }: Asked): void {
    const { prompt: _prompt, generator: { seed: _seed, ...generator } = {}, ...settings } = request;
    this.#defaults = { ...this.#defaults, request: { ...settings, generator }, count };
  }

  /** Asks until the answer is understood; an empty one, or the end of the input, is the default. */
  async #answer<T>(question: string, byDefault: T, read: (answer: string) => T): Promise<T> {
    for (;;) {
      const answer = (await this.#console.ask(question))?.trim();
      if (answer === undefined || answer === "") return byDefault;
      try {
        return read(answer);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        this.#console.refuse(both((text, language) => text.again(error.explain(language))));
      }
    }
  }

  #size(answer: string): { width: number; height: number } {
    const size = parseSize(answer);
    // Refuses, with a suggestion, what the model cannot make.
    this.#studio.pipe.prepareLatents(size);
    return size;
  }

  /** A prompt without errors; undefined when the person leaves. */
  async #prompt(): Promise<string | undefined> {
    for (;;) {
      let prompt = await this.#typedPrompt();
      if (prompt === undefined) return undefined;
      for (;;) {
        const examined = examinePrompt(prompt, this.#studio.pipe.promptEncoders);
        const { report, faultyLine } = examined;
        if (faultyLine === undefined) {
          this.#console.say(report);
          return prompt;
        }
        this.#console.refuse(examined.message, report);
        const mended = await this.#mend(prompt, faultyLine);
        if (mended === undefined) break;
        prompt = mended;
      }
    }
  }

  /** Lets a line be changed; undefined to start over. */
  async #mend(prompt: string, line: number): Promise<string | undefined> {
    const lines = prompt.split(/\r\n|[\r\n]/);
    const changed = await this.#console.ask(text.mendLine(line), {
      prefill: lines[line - 1] ?? "",
    });
    if (changed === undefined || changed.trim() === "") return undefined;
    const mended = lines.with(line - 1, changed).join("\n");
    this.#remember(mended);
    return mended;
  }

  /** What was typed, pasted or named by its file; undefined when the person leaves. */
  async #typedPrompt(): Promise<string | undefined> {
    for (;;) {
      const first = await this.#console.ask(text.askPrompt, { history: this.#prompts });
      if (first === undefined || /^(q|quit|exit)$/i.test(first.trim())) return undefined;
      if (first.trim() === "") continue;
      const path = namedFile(first);
      if (path === undefined) {
        const prompt = await this.#continued(first);
        this.#remember(prompt);
        return prompt;
      }
      this.#remember(first);
      try {
        return await readText(path);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        this.#console.refuse(linesOfBoth(error));
      }
    }
  }

  /** The rest of a prompt of several lines: what was pasted with it, and what its tags ask for. */
  async #continued(first: string): Promise<string> {
    let prompt = first;
    for (;;) {
      const ahead = await this.#console.peek(PASTE_MILLISECONDS);
      if (this.#console.isTerminal && (ahead !== undefined || this.#console.hasBegunLine)) {
        // Nobody types as fast: it was pasted. Its last line may still lack its end.
        prompt += `\n${await this.#console.next()}`;
        continue;
      }
      // A longer prompt is refused as a whole: it does not matter what is still open in it.
      const unfinished = prompt.length <= MAX_PROMPT_LENGTH && isUnfinished(prompt);
      if (ahead === undefined) {
        if (!unfinished) return prompt;
        const line = await this.#console.ask(text.morePrompt);
        if (line === undefined || line.trim() === "") return prompt;
        prompt += `\n${line}`;
      } else if (unfinished || this.#belongsToPrompt(prompt)) {
        prompt += `\n${await this.#console.next()}`;
      } else {
        return prompt;
      }
    }
  }

  /**
   * Whether lines that a pipe has brought already go on with a finished prompt: they may be the next
   * answer, unless they begin with a tag.
   */
  #belongsToPrompt(prompt: string): boolean {
    const next = this.#console.waiting().find((line) => line.trim() !== "");
    return prompt.trimStart().startsWith("<") && next !== undefined &&
      next.trimStart().startsWith("<");
  }

  #remember(prompt: string): void {
    const line = prompt.trim().replace(/\s*[\r\n]\s*/g, " ");
    if (line !== this.#prompts[0]) this.#prompts.unshift(line);
  }
}

/** A question of the conversation: a setting, or several that are answered together. */
interface Question {
  readonly label: string;
  readonly leaves: readonly Leaf[];
}

/** The questions about settings, in the order of the table. */
function questionsOf(): readonly Question[] {
  const asked = leavesOf(SETTINGS).filter(({ setting }) => setting.question !== undefined);
  const labels = new Set(asked.map(({ setting }) => setting.question![language]));
  return [...labels].map((label) => ({
    label,
    leaves: asked.filter(({ setting }) => setting.question![language] === label),
  }));
}

function answerTo({ path, setting }: Leaf, answer: string): AskedSettings {
  return nested([[path, read(setting.kind, answer)]]);
}

function read<Value>(kind: Kind<Value>, answer: string): Value {
  const value = fromText(kind, answer);
  if (value !== undefined) return value;
  const { en, zh } = wrongValue({ en: "The answer", zh: "回答" }, answer, kind);
  throw new RequestError(en, { zh });
}
