/** The interactive studio: asks, makes pictures, and asks again. */
import { join } from "node:path";
import { RequestError } from "../../src/errors.ts";
import { MAX_PROMPT_LENGTH, promptKind, splitSystemPrompt } from "../../src/prompt/mod.ts";
import {
  type AskedSettings,
  COUNT,
  DEFAULT_STRENGTH,
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
import { LAST, latestPicture } from "../../src/studio/latest_picture.ts";
import { openFolderOfDay, pictureName } from "../../src/studio/outputs.ts";
import type { PlanOptions } from "../../src/studio/plan.ts";
import { completePrompt, type Completion } from "../../src/studio/prompt_completion.ts";
import { dressed, loadPreset, namesOf, type Preset, presetNames } from "../../src/studio/preset.ts";
import { HISTORY, PromptHistory } from "../../src/studio/prompt_history.ts";
import { readText } from "../../src/studio/read_text.ts";
import type { FoundAdapter } from "../../src/pipeline/adapters/adapter_folders.ts";
import {
  type LoraRequest,
  loraText,
  NO_LORA,
  parseLora,
  withoutNone,
} from "../../src/studio/lora_request.ts";
import { similarNames } from "../../src/pipeline/adapters/adapter_names.ts";
import { shown } from "../../src/shown.ts";
import { parseSize } from "../../src/studio/request.ts";
import type { Studio } from "../../src/studio/studio.ts";
import { loadTagList, type TagList } from "../../src/tags/mod.ts";
import { isTemplate, parseTemplate, TemplateError } from "../../src/templates/mod.ts";
import { type AskOptions, Console, Interrupted } from "../cli/console.ts";
import { makePictures, savedLine, type ShowOptions } from "./picture.ts";
import { both, text } from "./texts.ts";
import { namedFile, STANDARD_INPUT } from "../cli/prompt_input.ts";
import { examinePrompt, isUnfinished } from "../cli/prompt_check.ts";
import { language, linesOfBoth } from "../cli/task.ts";

/** Lines that come within this time belong to one paste. */
const PASTE_MILLISECONDS = 60;

/** What the answers begin with. */
export interface Defaults {
  readonly request: AskedSettings;
  readonly name: string;
  readonly count: number;
  /** Whose words stand around each prompt. */
  readonly presets: readonly Preset[];
  readonly loras: readonly LoraRequest[];
}

/** How pictures are made of the answers. */
export type SittingOptions = ShowOptions & Pick<PlanOptions, "wildcards"> & {
  /** The folder of outputs. */
  readonly root: string;
};

/** Asks for pictures and makes them until the person leaves. */
export async function runInteractive(
  studio: Studio,
  defaults: Defaults,
  options: SittingOptions,
): Promise<void> {
  const { root } = options;
  const folder = await openFolderOfDay(new Date(), root);
  using console = new Console();
  using interruption = new Interruption(console.isTerminal);
  // Prompts of earlier sittings are of no use through a pipe.
  const history = console.isTerminal
    ? await PromptHistory.open(join(root, HISTORY))
    : PromptHistory.empty();
  const sitting = new Sitting(console, studio, defaults, history, root, await studio.adapters());
  console.say(text.promptHint);
  if (console.isTerminal) void sitting.loadTags();
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

type Asked = NonNullable<Awaited<ReturnType<Sitting["ask"]>>>;

async function make(
  console: Console,
  studio: Studio,
  folder: string,
  { request, name, count, presets, loras }: Asked,
  options: SittingOptions,
  interruption: Interruption,
): Promise<boolean> {
  const signal = interruption.next();
  try {
    await console.away(async () => {
      const prompt = dressed(presets, request.prompt, request.raw);
      await makePictures(studio, { ...request, prompt, loras }, {
        ...options,
        preset: namesOf(presets),
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

/** A person who wants to leave, and one who wants to change an earlier answer. */
const LEAVES = /^(q|quit|exit)$/i;
const GOES_BACK = "<";
/** What asks for something besides, at any question: `/negative`, `/preset soft`. */
const COMMAND = /^\/([a-z]+)(?:\s+([^]*))?$/i;
/** A file, and perhaps a number behind it. */
const IMAGE = /^(.*\S)\s+(\d*\.?\d+)$/;
/** Takes back what a command set. */
const NOTHING = "-";

/** What an answer does with the conversation. */
type Turn = "on" | "back" | "leave";
/** What came of an answer that may be a command. */
type Commanded = "none" | "done" | "leave";
/** Thrown where a command's own question is answered by leaving, or by going back. */
class Turned extends Error {
  override name = "Turned";

  constructor(readonly turn: Exclude<Turn, "on">) {
    super(turn);
  }
}
/** Ctrl-C was pressed, and the prompt is kept. */
const KEPT = Symbol("kept");

/** A question, and what its answer changes. */
interface Step {
  /** The question with what an empty answer means. */
  readonly question: () => string;
  /** @throws {RequestError} When the answer cannot be understood. */
  readonly take: (answer: string) => void;
}

/** What one picture is asked for with. */
type Answers = { -readonly [Key in keyof Defaults]: Defaults[Key] };

/** Remembers what was answered before. */
class Sitting {
  readonly #console: Console;
  readonly #studio: Studio;
  readonly #history: PromptHistory;
  readonly #root: string;
  #defaults: Defaults;
  readonly #adapters: readonly FoundAdapter[];
  #tags: TagList | undefined;

  constructor(
    console: Console,
    studio: Studio,
    defaults: Defaults,
    history: PromptHistory,
    root: string,
    adapters: readonly FoundAdapter[],
  ) {
    this.#adapters = adapters;
    this.#console = console;
    this.#studio = studio;
    this.#defaults = defaults;
    this.#history = history;
    this.#root = root;
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
  #completion(before = ""): (line: string) => Completion {
    const { words } = this.#studio;
    return (line) => completePrompt(line, before, { words, tags: this.#tags });
  }

  /**
   * One round of questions; undefined when the person leaves.
   *
   * @throws {Interrupted} When Ctrl-C was pressed at the first of them.
   */
  async ask() {
    let kept = "";
    for (;;) {
      const prompt = await this.#prompt(kept);
      if (prompt === undefined) return undefined;
      const answers = { ...this.#defaults };
      const turn = await this.#keeping(prompt, () => this.#askAll(this.#steps(answers), answers));
      // Ctrl-D leaves; a pipe may end where everything that follows is to be the default.
      const hasEnded = this.#console.isTerminal && this.#console.hasEnded;
      if (turn === "leave" || hasEnded) return undefined;
      if (turn === "on") {
        return { ...answers, request: { ...answers.request, prompt } };
      }
      kept = prompt;
    }
  }

  /** What was accepted is the default of the next picture, but for the seed and the name. */
  remember({ request, count, presets, loras }: Asked): void {
    const { prompt: _prompt, generator: { seed: _seed, ...generator } = {}, ...settings } = request;
    const own = { request: { ...settings, generator }, count, presets, loras };
    this.#defaults = { ...this.#defaults, ...own };
  }

  /** The questions after the prompt; they change the answers. */
  #steps(answers: Answers): readonly Step[] {
    const name: Step = {
      question: () => text.askOutput(answers.name),
      take: (answer) => {
        if (/^<.*>$/.test(answer)) throw new RequestError(both((text) => text.noName(answer)));
        answers.name = pictureName(answer);
      },
    };
    const settings = questionsOf().map(({ label, leaves }): Step => ({
      question: () => text.ask(label, defaultShown(answers.request, leaves)),
      take: (answer) => {
        const own = leaves.length > 1 ? this.#size(answer) : answerTo(leaves[0]!, answer);
        answers.request = mergeSettings([answers.request, own]);
      },
    }));
    const count: Step = {
      question: () => text.ask(COUNT.question[language], String(answers.count)),
      take: (answer) => answers.count = read(COUNT.kind, answer),
    };
    // Those of the demo model alone are nobody's own.
    const isAsked = this.#adapters.some(({ isDemo }) => !isDemo);
    const adapters: Step = {
      question: () =>
        text.askLoras(
          answers.loras.map(loraText).join(", "),
          this.#adapters.map(({ name }) => shown(name)),
        ),
      take: (answer) => {
        const loras = answer.split(/[,，、]/).map((one) => this.#known(parseLora(one)));
        answers.loras = withoutNone(loras);
      },
    };
    return [name, ...settings, count, ...(isAsked ? [adapters] : [])];
  }

  /** @throws {RequestError} When there is no such adapter. */
  #known(lora: LoraRequest): LoraRequest {
    const names = this.#adapters.map(({ name }) => name);
    const isPath = /[\\/]|\.(?:safetensors|sft)$/i.test(lora.name);
    if (isPath) return { ...lora, mayBePath: true };
    if (lora.name === NO_LORA || names.includes(lora.name)) return lora;
    throw new RequestError(both((text) => text.noLora(lora.name, similarNames(lora.name, names))));
  }

  /** Asks one after the other, forth and back. */
  async #askAll(steps: readonly Step[], answers: Answers): Promise<Turn> {
    for (let index = 0; index < steps.length;) {
      const turn = await this.#answer(steps[index]!, answers);
      if (turn === "leave" || turn === "back" && index === 0) return turn;
      index += turn === "back" ? -1 : 1;
    }
    return "on";
  }

  /** Asks until the answer is understood; an empty one, or the end of the input, changes nothing. */
  async #answer({ question, take }: Step, answers: Answers): Promise<Turn> {
    for (;;) {
      const answer = (await this.#console.ask(question()))?.trim() ?? "";
      if (answer === "") return "on";
      if (LEAVES.test(answer)) return "leave";
      if (answer.normalize("NFKC") === GOES_BACK) return "back";
      try {
        const commanded = await this.#command(answer, answers);
        if (commanded === "leave") return "leave";
        if (commanded === "done") continue;
        take(answer);
        return "on";
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        this.#console.refuse(both((text, language) => text.again(error.explain(language))));
      }
    }
  }

  /**
   * Does what a command asks for, where the answer is one.
   *
   * @param answers What it changes: of this picture, or of all that follow.
   * @throws {RequestError} When there is no such command, or what it names is not there.
   */
  async #command(answer: string, answers: Answers): Promise<Commanded> {
    const [, name, rest = ""] = COMMAND.exec(answer.trim()) ?? [];
    if (name === undefined) return "none";
    const commands: Readonly<Record<string, (rest: string, answers: Answers) => Promise<void>>> = {
      negative: (rest, answers) => this.#askNegative(rest, answers),
      preset: (rest, answers) => this.#askPreset(rest, answers),
      image: (rest, answers) => this.#askImage(rest, answers),
      mask: (rest, answers) => this.#askMask(rest, answers),
    };
    const known = Object.keys(commands);
    const called = known.find((command) => command.startsWith(name.toLowerCase()));
    if (called === undefined) throw new RequestError(both((text) => text.noCommand(name, known)));
    try {
      await commands[called]!(rest.trim(), answers);
    } catch (error) {
      if (!(error instanceof Turned)) throw error;
      return error.turn === "leave" ? "leave" : "done";
    }
    return "done";
  }

  /**
   * Asks what a command needs to know.
   *
   * @throws {Turned} When the person leaves, or goes back to the question before.
   */
  async #askCommand(question: string, options: AskOptions = {}): Promise<string> {
    const answer = await this.#console.ask(question, options) ?? "";
    if (LEAVES.test(answer.trim())) throw new Turned("leave");
    if (answer.trim().normalize("NFKC") === GOES_BACK) throw new Turned("back");
    return answer;
  }

  /** What the picture should not be; an empty answer keeps what there is. */
  async #askNegative(said: string, answers: Answers): Promise<void> {
    const { negativePrompt = "" } = answers.request;
    const lines = [
      said === ""
        ? await this.#askCommand(text.askNegative(negativePrompt), {
          complete: this.#completion(),
        })
        : said,
    ];
    await this.#continued(lines, true);
    const answer = lines.join("\n").trim();
    if (answer === "") return;
    const path = namedFile(answer);
    const negative = answer === NOTHING ? "" : path === undefined ? answer : await readText(path);
    const examined = examinePrompt(negative, this.#studio.pipe.promptEncoders);
    if (examined.faultyLine !== undefined) throw new RequestError(examined.message());
    this.#console.say(examined.report);
    answers.request = { ...answers.request, negativePrompt: negative };
    this.#console.say(text.negativeIs(negative));
  }

  async #askPreset(said: string, answers: Answers): Promise<void> {
    const names = await presetNames();
    if (said === "") this.#console.say(text.presetNames(names));
    const answer = said === ""
      ? (await this.#askCommand(text.askPreset, {
        complete: (line) => ({
          typed: line,
          candidates: names.filter((name) => name.startsWith(line)),
        }),
      })).trim()
      : said;
    if (answer === "") return;
    const presets = answer === NOTHING ? [] : [await loadPreset(answer)];
    answers.presets = presets;
    answers.request = mergeSettings([answers.request, ...presets.map(({ settings }) => settings)]);
    this.#console.say(text.presetIs(namesOf(presets)));
  }

  /** A picture to start from, and how far to go from it. */
  async #askImage(said: string, answers: Answers): Promise<void> {
    const answer = said === "" ? (await this.#askCommand(text.askImage)).trim() : said;
    if (answer === "") return;
    const { source: _source, strength: _strength, ...request } = answers.request;
    if (answer === NOTHING) {
      const { defaultSize: side } = this.#studio.pipe;
      answers.request = { ...request, width: side, height: side };
      this.#console.say(text.noImage);
      return;
    }
    const [, name = answer, strengthSaid] = IMAGE.exec(answer) ?? [];
    const strength = strengthSaid === undefined
      ? DEFAULT_STRENGTH
      : read(SETTINGS.strength.kind, strengthSaid);
    const image = name === LAST ? await latestPicture(this.#root) : name;
    // Whatever is wrong with it is said now.
    const { notes, image: { width, height } } = await this.#studio.openSource({ image });
    this.#console.say(notes.map((note) => note[language]));
    answers.request = { ...request, source: { image }, strength, width, height };
    this.#console.say(text.imageIs(image, strength));
  }

  /** Where that picture is drawn anew. */
  async #askMask(said: string, answers: Answers): Promise<void> {
    const answer = said === "" ? (await this.#askCommand(text.askMask)).trim() : said;
    if (answer === "") return;
    const { mask: _mask, ...source } = answers.request.source ?? {};
    const changed = answer === NOTHING ? source : { ...source, mask: answer };
    if (answer !== NOTHING) await this.#studio.openSource(changed);
    answers.request = { ...answers.request, source: changed };
    this.#console.say(text.maskIs(answer === NOTHING ? undefined : answer));
  }

  /** Lets Ctrl-C lead back to the prompt, which is kept. */
  async #keeping<T>(prompt: string, work: () => Promise<T>): Promise<T | typeof KEPT> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      await this.#history.add(prompt);
      this.#console.say(["", text.promptKept]);
      return KEPT;
    }
  }

  #size(answer: string): { width: number; height: number } {
    const size = parseSize(answer);
    // Refuses, with a suggestion, what the model cannot make.
    this.#studio.pipe.prepareLatents(size);
    this.#console.say(this.#studio.beyondTraining({ prompt: "", ...size })[language]);
    return size;
  }

  /**
   * A prompt without errors; undefined when the person leaves.
   *
   * @param kept What stands in the line already.
   */
  async #prompt(kept: string): Promise<string | undefined> {
    for (;;) {
      let prompt = await this.#typedPrompt(kept);
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
        const mended: string | undefined | typeof KEPT = await this.#keeping(
          faulty,
          () => this.#mend(faulty, faultyLine),
        );
        kept = mended === KEPT ? faulty : "";
        if (mended === undefined || mended === KEPT) break;
        prompt = mended;
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
      complete: this.#completion(lines.slice(0, line - 1).join("\n")),
    });
    if (changed === undefined || changed.trim() === "") return undefined;
    const mended = lines.with(line - 1, changed).join("\n");
    await this.#history.add(mended);
    return mended;
  }

  /** What was typed, pasted or named by its file; undefined when the person leaves. */
  async #typedPrompt(kept: string): Promise<string | undefined> {
    for (;;) {
      const first = await this.#console.ask(text.askPrompt, {
        history: this.#history.latestFirst,
        complete: this.#completion(),
        prefill: kept.trim().replace(/\s*[\r\n]\s*/g, " "),
      });
      kept = "";
      if (first === undefined || LEAVES.test(first.trim())) return undefined;
      if (first.trim() === "") continue;
      const commanded = await this.#commandAtPrompt(first);
      if (commanded === "leave") return undefined;
      if (commanded === "done") continue;
      const path = namedFile(first);
      if (path === undefined) {
        const lines = [first];
        const isLiteral = first.trim() === STANDARD_INPUT;
        if (isLiteral) lines.pop();
        const turn = await this.#keeping(
          first,
          () => isLiteral ? this.#literal(lines) : this.#continued(lines),
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

  /** A command that is given instead of a prompt changes what all pictures begin with. */
  async #commandAtPrompt(first: string): Promise<Commanded> {
    const answers = { ...this.#defaults };
    try {
      const commanded = await this.#command(first, answers);
      if (commanded === "done") this.#defaults = answers;
      return commanded;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#console.refuse(linesOfBoth(error));
      return "done";
    }
  }

  /** Lines as they are: on a terminal until an empty one, through a pipe until its end. */
  async #literal(lines: string[]): Promise<void> {
    for (;;) {
      const line = this.#console.isTerminal
        ? await this.#console.ask(text.lastLine, { complete: this.#completion(lines.join("\n")) })
        : await this.#console.next();
      if (line === undefined || this.#console.isTerminal && line.trim() === "") return;
      lines.push(line);
    }
  }

  /**
   * The rest of a prompt of several lines: what was pasted with it, and what XML goes on with. On a
   * terminal XML may always go on, with another character perhaps: an empty line ends it.
   */
  async #continued(lines: string[], isNegative = false): Promise<void> {
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
          complete: this.#completion(prompt),
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

/** What an empty answer means, as the question shows it. */
function defaultShown(request: AskedSettings, leaves: readonly Leaf[]): string {
  const values = leaves.map(({ path, setting }) => {
    const value = valueAt(request, path);
    return value === undefined ? undefined : toText(setting.kind, value);
  });
  return values.includes(undefined)
    ? leaves[0]!.setting.otherwise?.[language] ?? ""
    : values.join("x");
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
