/** The interactive studio: asks, makes pictures, and asks again. */
import { RequestError } from "../../src/mod.ts";
import { MAX_PROMPT_LENGTH } from "../../src/prompt/mod.ts";
import { randomSeed } from "../../src/random/mod.ts";
import { folderOfTime, pictureName } from "../../src/studio/outputs.ts";
import { readText } from "../../src/studio/read_text.ts";
import {
  MOST_GUIDANCE,
  MOST_PICTURES,
  MOST_STEPS,
  parseSeed,
  parseSize,
  type RequestDefaults,
} from "../../src/studio/request.ts";
import type { Studio } from "../../src/studio/studio.ts";
import { Console, Interrupted } from "../cli/console.ts";
import { makePictures, savedLine, type ShowOptions } from "./picture.ts";
import { both, text } from "./texts.ts";
import { namedFile } from "../parse/input.ts";
import { examinePrompt, isUnfinished } from "../cli/prompt_check.ts";
import { linesOfBoth } from "../cli/task.ts";

/** Lines that come within this time belong to one paste. */
const PASTE_MILLISECONDS = 60;

/** What the answers begin with. */
export interface Defaults {
  readonly request: RequestDefaults & { readonly width: number; readonly height: number };
  readonly name: string;
  readonly count: number;
}

/** Asks for pictures and makes them until the person leaves. */
export async function runInteractive(
  studio: Studio,
  defaults: Defaults,
  options: ShowOptions,
): Promise<void> {
  const folder = folderOfTime(new Date());
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
  /** The seed of the command line, for the first picture. */
  #seed: number | bigint | undefined;
  /** Former prompts, each in one line, the latest first. */
  readonly #prompts: string[] = [];

  constructor(console: Console, studio: Studio, defaults: Defaults) {
    this.#console = console;
    this.#studio = studio;
    this.#defaults = defaults;
    this.#seed = defaults.request.generator?.seed;
  }

  /** One round of questions; undefined when the person leaves. */
  async ask() {
    const prompt = await this.#prompt();
    if (prompt === undefined) return undefined;
    const { request: before } = this.#defaults;
    const name = await this.#answer(
      text.askOutput(this.#defaults.name),
      pictureName(this.#defaults.name),
      pictureName,
    );
    const numInferenceSteps = await this.#answer(
      text.askSteps(before.numInferenceSteps),
      before.numInferenceSteps,
      wholeUpTo(MOST_STEPS),
    );
    const guidance = await this.#answer(
      text.askGuidance(before.guidanceScale),
      before.guidanceScale,
      guidanceScale,
    );
    const given = this.#seed;
    const seed = await this.#answer(
      given === undefined ? text.askSeed : text.askGivenSeed(given),
      given,
      parseSeed,
    );
    const size = await this.#answer(
      text.askSize(`${before.width}x${before.height}`),
      { width: before.width, height: before.height },
      (answer) => this.#size(answer),
    );
    const count = await this.#answer(
      text.askCount(this.#defaults.count),
      this.#defaults.count,
      wholeUpTo(MOST_PICTURES),
    );
    // Ctrl-D leaves; a pipe may end where everything that follows is to be the default.
    if (this.#console.isTerminal && this.#console.hasEnded) return undefined;
    const settings = { ...before, ...size, numInferenceSteps, guidanceScale: guidance };
    const generator = { ...before.generator, seed: seed ?? randomSeed() };
    return { request: { ...settings, prompt, generator }, name, count };
  }

  /** What was accepted is the default of the next picture, but for the seed and the name. */
  remember({ request, count }: Asked): void {
    const { prompt: _prompt, generator: _generator, ...settings } = request;
    this.#defaults = { ...this.#defaults, request: settings, count };
    this.#seed = undefined;
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
          if (report !== "") this.#console.say(report);
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

/** Reads a whole number from 1 to `most`. */
function wholeUpTo(most: number): (answer: string) => number {
  return (answer) => {
    const number = /^\d{1,9}$/.test(answer) ? Number(answer) : 0;
    if (number >= 1 && number <= most) return number;
    throw new RequestError(both((text) => text.notWhole(JSON.stringify(answer), most)));
  };
}

function guidanceScale(answer: string): number {
  const number = Number(answer);
  if (number >= 0 && number <= MOST_GUIDANCE) return number;
  throw new RequestError(both((text) => text.notNumber(JSON.stringify(answer), MOST_GUIDANCE)));
}
