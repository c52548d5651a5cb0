/** The interactive studio: asks, makes pictures, and asks again. */
import { RequestError } from "../src/mod.ts";
import { randomSeed } from "../src/random/mod.ts";
import { folderOfTime, pictureName } from "../src/studio/outputs.ts";
import { readText } from "../src/studio/batch.ts";
import { parseSeed, parseSize, type RequestDefaults } from "../src/studio/request.ts";
import type { Studio } from "../src/studio/studio.ts";
import { Console, Interrupted } from "./_console.ts";
import { makePictures, type ShowOptions } from "./_create_picture.ts";
import { text } from "./_create_texts.ts";
import { examinePrompt, isUnfinished } from "./_prompt_check.ts";
import { duration } from "./_task.ts";

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
  const sitting = new Sitting(console, studio, defaults);
  console.say(text.promptHint);
  try {
    for (;;) {
      const asked = await sitting.ask();
      if (asked === undefined) break;
      await make(console, studio, folder, asked, options);
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
): Promise<void> {
  const controller = new AbortController();
  const cancel = () => controller.abort();
  try {
    await console.away(async () => {
      Deno.addSignalListener("SIGINT", cancel);
      try {
        await makePictures(studio, request, {
          ...options,
          folder,
          name,
          count,
          signal: controller.signal,
          onSaved: ({ path, seed, milliseconds }) =>
            console.say(`${text.done(path)} (${text.made(seed, duration(milliseconds))})`),
        });
      } finally {
        Deno.removeSignalListener("SIGINT", cancel);
      }
    });
  } catch (error) {
    if (controller.signal.aborted) return console.say(text.cancelled);
    if (!(error instanceof Error)) throw error;
    console.say(error.message);
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
    const { request: before } = this.#defaults;
    const name = await this.#answer(
      text.askOutput(this.#defaults.name),
      pictureName(this.#defaults.name),
      pictureName,
    );
    const numInferenceSteps = await this.#answer(
      text.askSteps(before.numInferenceSteps),
      before.numInferenceSteps,
      wholeFromOne,
    );
    const guidanceScale = await this.#answer(
      text.askGuidance(before.guidanceScale),
      before.guidanceScale,
      numberFromZero,
    );
    const seed = await this.#answer(text.askSeed, undefined, parseSeed);
    const size = await this.#answer(
      text.askSize(`${before.width}x${before.height}`),
      { width: before.width, height: before.height },
      (answer) => this.#size(answer),
    );
    const count = await this.#answer(
      text.askCount(this.#defaults.count),
      this.#defaults.count,
      wholeFromOne,
    );
    const settings = { ...before, ...size, numInferenceSteps, guidanceScale };
    this.#defaults = { ...this.#defaults, request: settings, count };
    const generator = { ...before.generator, seed: seed ?? randomSeed() };
    return { request: { ...settings, prompt, generator }, name, count };
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
        this.#console.say(text.again(error.message));
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
        const { report, faultyLine } = examinePrompt(prompt, this.#studio.pipe.promptEncoders);
        if (report !== "") this.#console.say(report);
        if (faultyLine === undefined) return prompt;
        const mended = await this.#mend(prompt, faultyLine);
        if (mended === undefined) break;
        prompt = mended;
      }
    }
  }

  /** Lets a line be changed; undefined to start over. Through a pipe nothing can be changed. */
  async #mend(prompt: string, line: number): Promise<string | undefined> {
    if (!this.#console.isTerminal) return undefined;
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
      if (!first.startsWith("@")) {
        const prompt = await this.#continued(first);
        this.#remember(prompt);
        return prompt;
      }
      try {
        return await readText(first.slice(1).trim());
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        this.#console.say(error.message);
      }
    }
  }

  /** The rest of a prompt of several lines: what was pasted with it, and what its tags ask for. */
  async #continued(first: string): Promise<string> {
    let prompt = first;
    for (;;) {
      const unfinished = isUnfinished(prompt);
      const ahead = await this.#console.peek(PASTE_MILLISECONDS);
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
   * Whether lines that are there already go on with a finished prompt. On a terminal nobody types as
   * fast, so they were pasted with it; through a pipe they may be the next answer, unless they begin
   * with a tag.
   */
  #belongsToPrompt(prompt: string): boolean {
    if (this.#console.isTerminal) return true;
    const next = this.#console.waiting().find((line) => line.trim() !== "");
    return prompt.trimStart().startsWith("<") && next !== undefined &&
      next.trimStart().startsWith("<");
  }

  #remember(prompt: string): void {
    const line = prompt.trim().replace(/\s*[\r\n]\s*/g, " ");
    if (line !== this.#prompts[0]) this.#prompts.unshift(line);
  }
}

function wholeFromOne(answer: string): number {
  if (!/^[1-9]\d{0,5}$/.test(answer)) throw new RequestError(text.notWhole(JSON.stringify(answer)));
  return Number(answer);
}

function numberFromZero(answer: string): number {
  const number = Number(answer);
  if (Number.isFinite(number) && number >= 0) return number;
  throw new RequestError(text.notNumber(JSON.stringify(answer)));
}
