/** The interactive studio: asks, makes pictures, and asks again. */
import { join } from "node:path";
import { RequestError } from "../../src/errors.ts";
import { COUNT, mergeSettings } from "../../src/settings/mod.ts";
import { openFolderOfDay, pictureName } from "../../src/studio/outputs.ts";
import type { PlanOptions } from "../../src/studio/plan.ts";
import { dressed, namesOf } from "../../src/studio/preset.ts";
import { HISTORY, PromptHistory } from "../../src/studio/prompt_history.ts";
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
import { Console, Interrupted } from "../cli/console.ts";
import { Commands } from "./commands.ts";
import { makePictures, savedLine, type ShowOptions } from "./picture.ts";
import { PromptReader } from "./prompt_reader.ts";
import {
  type Answers,
  answerTo,
  type Commanded,
  type Defaults,
  defaultShown,
  GOES_BACK,
  LEAVES,
  questionsOf,
  read,
  type Turn,
} from "./questions.ts";
import { both, text } from "./texts.ts";
import { language, linesOfBoth } from "../cli/task.ts";

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
  const reader = new PromptReader(console, studio, history);
  const sitting = new Sitting(console, studio, {
    reader,
    commands: new Commands(console, studio, reader, root),
    adapters: await studio.adapters(),
    defaults,
  });
  console.say(text.promptHint);
  if (console.isTerminal) void reader.loadTags();
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

/** A question, and what its answer changes. */
interface Step {
  /** The question with what an empty answer means. */
  readonly question: () => string;
  /** @throws {RequestError} When the answer cannot be understood. */
  readonly take: (answer: string) => void;
}

/** Remembers what was answered before. */
class Sitting {
  readonly #console: Console;
  readonly #studio: Studio;
  readonly #reader: PromptReader;
  readonly #commands: Commands;
  readonly #adapters: readonly FoundAdapter[];
  #defaults: Defaults;

  constructor(
    console: Console,
    studio: Studio,
    { reader, commands, adapters, defaults }: {
      readonly reader: PromptReader;
      readonly commands: Commands;
      readonly adapters: readonly FoundAdapter[];
      readonly defaults: Defaults;
    },
  ) {
    this.#console = console;
    this.#studio = studio;
    this.#reader = reader;
    this.#commands = commands;
    this.#adapters = adapters;
    this.#defaults = defaults;
  }

  /**
   * One round of questions; undefined when the person leaves.
   *
   * @throws {Interrupted} When Ctrl-C was pressed at the first of them.
   */
  async ask() {
    let kept = "";
    for (;;) {
      const prompt = await this.#reader.read(kept, (typed) => this.#commandAtPrompt(typed));
      if (prompt === undefined) return undefined;
      const answers = { ...this.#defaults };
      const turn = await this.#reader.keeping(
        prompt,
        () => this.#askAll(this.#steps(answers), answers),
      );
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
        const commanded = await this.#commands.run(answer, answers);
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

  #size(answer: string): { width: number; height: number } {
    const size = parseSize(answer);
    // Refuses, with a suggestion, what the model cannot make.
    this.#studio.pipe.prepareLatents(size);
    this.#console.say(this.#studio.beyondTraining({ prompt: "", ...size })[language]);
    return size;
  }

  /** A command that is given instead of a prompt changes what all pictures begin with. */
  async #commandAtPrompt(first: string): Promise<Commanded> {
    const answers = { ...this.#defaults };
    try {
      const commanded = await this.#commands.run(first, answers);
      if (commanded === "done") this.#defaults = answers;
      return commanded;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#console.refuse(linesOfBoth(error));
      return "done";
    }
  }
}
