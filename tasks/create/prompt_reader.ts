/** How a prompt is typed, pasted, named by its file, and mended. */
import { RequestError } from "../../src/errors.ts";
import { MAX_PROMPT_LENGTH, promptKind, splitSystemPrompt } from "../../src/prompt/mod.ts";
import { completePrompt, type Completion } from "../../src/studio/prompt_completion.ts";
import type { PromptHistory } from "../../src/studio/prompt_history.ts";
import { readText } from "../../src/studio/read_text.ts";
import type { Studio } from "../../src/studio/studio.ts";
import { loadTagList, type TagList } from "../../src/tags/mod.ts";
import { isTemplate, parseTemplate, TemplateError } from "../../src/templates/mod.ts";
import { type Console, Interrupted } from "../cli/console.ts";
import { examinePrompt, isUnfinished } from "../cli/prompt_check.ts";
import { namedFile, STANDARD_INPUT } from "../cli/prompt_input.ts";
import { language, linesOfBoth } from "../cli/task.ts";
import { type Commanded, LEAVES } from "./questions.ts";
import { text } from "./texts.ts";

/** Lines that come within this time belong to one paste. */
const PASTE_MILLISECONDS = 60;

/** Ctrl-C was pressed, and the prompt is kept. */
const KEPT = Symbol("kept");

/** Asks for prompts. */
export class PromptReader {
  readonly #console: Console;
  readonly #studio: Studio;
  readonly #history: PromptHistory;
  #tags: TagList | undefined;

  constructor(console: Console, studio: Studio, history: PromptHistory) {
    this.#console = console;
    this.#studio = studio;
    this.#history = history;
  }

  /** Loads the person's lists of tags, with which Tab completes; a list that is none is told of. */
  async loadTags(): Promise<void> {
    try {
      this.#tags = await loadTagList();
    } catch (error) {
      this.#console.say(linesOfBoth(error)[language]);
    }
  }

  /** What Tab does in a prompt, behind the lines that are there already. */
  completion(before = ""): (line: string) => Completion {
    const { words } = this.#studio;
    return (line) => completePrompt(line, before, { words, tags: this.#tags });
  }

  /**
   * A prompt without errors; undefined when the person leaves.
   *
   * @param kept What stands in the line already.
   * @param command Does what was typed, where that is a command.
   */
  async read(
    kept: string,
    command: (typed: string) => Promise<Commanded>,
  ): Promise<string | undefined> {
    for (;;) {
      let prompt = await this.#typedPrompt(kept, command);
      if (prompt === undefined) return undefined;
      if (isTemplate(prompt)) {
        // What it makes is looked at when it is made.
        if (this.#isSoundTemplate(prompt)) return prompt;
        kept = prompt;
        continue;
      }
      for (;;) {
        const examined = examinePrompt(prompt, this.#studio.pipe.promptEncoders);
        const { report, faultyLine } = examined;
        if (faultyLine === undefined) {
          this.#console.say(report);
          this.#console.say(this.#studio.beyondTraining({ prompt })[language]);
          return prompt;
        }
        this.#console.refuse(examined.message(), report);
        const faulty: string = prompt;
        const mended: string | undefined | typeof KEPT = await this.keeping(
          faulty,
          () => this.#mend(faulty, faultyLine),
        );
        kept = mended === KEPT ? faulty : "";
        if (mended === undefined || mended === KEPT) break;
        prompt = mended;
      }
    }
  }

  /** Lets Ctrl-C lead back to the prompt, which is kept. */
  async keeping<T>(prompt: string, work: () => Promise<T>): Promise<T | typeof KEPT> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      await this.#history.add(prompt);
      this.#console.say(["", text.promptKept]);
      return KEPT;
    }
  }

  /**
   * The rest of a prompt of several lines: what was pasted with it, and what XML goes on with. On a
   * terminal XML may always go on, with another character perhaps: an empty line ends it.
   */
  async continued(lines: string[], isNegative = false): Promise<void> {
    for (;;) {
      const ahead = await this.#console.peek(PASTE_MILLISECONDS);
      if (this.#console.isTerminal && (ahead !== undefined || this.#console.hasBegunLine)) {
        // Nobody types this fast, so the text was pasted. The end of its last line may still be
        // missing.
        lines.push(await this.#console.next() ?? "");
        continue;
      }
      const prompt = lines.join("\n");
      // A longer prompt is refused as a whole: it does not matter what is still open in it.
      const unfinished = prompt.length <= MAX_PROMPT_LENGTH && isUnfinished(prompt, isNegative);
      if (ahead === undefined) {
        const mayGoOn = this.#console.isTerminal && promptKind(prompt) === "xml" &&
          prompt.length <= MAX_PROMPT_LENGTH;
        if (!unfinished && !mayGoOn) return;
        const line = await this.#console.ask(unfinished ? text.morePrompt : text.lastLine, {
          complete: this.completion(prompt),
        });
        if (line === undefined || line.trim() === "") return;
        lines.push(line);
      } else if (unfinished || this.#belongsToPrompt(prompt)) {
        lines.push(await this.#console.next() ?? "");
      } else {
        return;
      }
    }
  }

  #isSoundTemplate(prompt: string): boolean {
    try {
      parseTemplate(prompt);
      return true;
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      this.#console.refuse(linesOfBoth(error));
      return false;
    }
  }

  /** Lets a line be changed; undefined to start over. */
  async #mend(prompt: string, line: number): Promise<string | undefined> {
    const lines = prompt.split(/\r\n|[\r\n]/);
    const changed = await this.#console.ask(text.mendLine(line), {
      prefill: lines[line - 1] ?? "",
      complete: this.completion(lines.slice(0, line - 1).join("\n")),
    });
    if (changed === undefined || changed.trim() === "") return undefined;
    const mended = lines.with(line - 1, changed).join("\n");
    await this.#history.add(mended);
    return mended;
  }

  /** What was typed, pasted or named by its file; undefined when the person leaves. */
  async #typedPrompt(
    kept: string,
    command: (typed: string) => Promise<Commanded>,
  ): Promise<string | undefined> {
    for (;;) {
      const first = await this.#console.ask(text.askPrompt, {
        history: this.#history.latestFirst,
        complete: this.completion(),
        prefill: kept.trim().replace(/\s*[\r\n]\s*/g, " "),
      });
      kept = "";
      if (first === undefined || LEAVES.test(first.trim())) return undefined;
      if (first.trim() === "") continue;
      const commanded = await command(first);
      if (commanded === "leave") return undefined;
      if (commanded === "done") continue;
      const path = namedFile(first);
      if (path === undefined) {
        const lines = [first];
        const isLiteral = first.trim() === STANDARD_INPUT;
        if (isLiteral) lines.pop();
        const turn = await this.keeping(
          first,
          () => isLiteral ? this.#literal(lines) : this.continued(lines),
        );
        const prompt = lines.join("\n");
        await this.#history.add(prompt);
        if (turn !== KEPT) return prompt;
        kept = prompt;
        continue;
      }
      await this.#history.add(first);
      try {
        return await readText(path);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        this.#console.refuse(linesOfBoth(error));
      }
    }
  }

  /** Lines as they are: on a terminal until an empty one, through a pipe until its end. */
  async #literal(lines: string[]): Promise<void> {
    for (;;) {
      const line = this.#console.isTerminal
        ? await this.#console.ask(text.lastLine, { complete: this.completion(lines.join("\n")) })
        : await this.#console.next();
      if (line === undefined || this.#console.isTerminal && line.trim() === "") return;
      lines.push(line);
    }
  }

  /**
   * Whether lines that a pipe has brought already go on with a finished prompt: they may be the next
   * answer, unless they begin with a tag.
   */
  #belongsToPrompt(prompt: string): boolean {
    const next = this.#console.waiting().find((line) => line.trim() !== "");
    const { text, systemPrompt } = splitSystemPrompt(prompt);
    const mayGoOn = text.trimStart().startsWith("<") ||
      systemPrompt !== undefined && text.trim() === "";
    return mayGoOn && next !== undefined && /^\s*[<＜]\S/.test(next);
  }
}
