/** What can be asked for besides at any question: `/negative`, `/preset soft`, `/image last 0.4`. */
import { RequestError } from "../../src/errors.ts";
import { DEFAULT_STRENGTH, mergeSettings, SETTINGS } from "../../src/settings/mod.ts";
import { LAST, latestPicture } from "../../src/studio/latest_picture.ts";
import { loadPreset, namesOf, presetNames } from "../../src/studio/preset.ts";
import { readText } from "../../src/studio/read_text.ts";
import type { Studio } from "../../src/studio/studio.ts";
import type { AskOptions, Console } from "../cli/console.ts";
import { examinePrompt } from "../cli/prompt_check.ts";
import { namedFile } from "../cli/prompt_input.ts";
import { language } from "../cli/task.ts";
import type { PromptReader } from "./prompt_reader.ts";
import { type Answers, type Commanded, GOES_BACK, LEAVES, read, type Turn } from "./questions.ts";
import { both, text } from "./texts.ts";

/** A command, and what stands behind it. */
const COMMAND = /^\/([a-z]+)(?:\s+([^]*))?$/i;
/** A file, and perhaps a number behind it. */
const IMAGE = /^(.*\S)\s+(\d*\.?\d+)$/;
/** Takes back what a command set. */
const NOTHING = "-";

/** Thrown where a command's own question is answered by leaving, or by going back. */
class Turned extends Error {
  override name = "Turned";
  readonly turn: Exclude<Turn, "on">;

  constructor(turn: Exclude<Turn, "on">) {
    super(turn);
    this.turn = turn;
  }
}

/** The commands of a sitting. */
export class Commands {
  readonly #console: Console;
  readonly #studio: Studio;
  readonly #reader: PromptReader;
  readonly #root: string;

  /** @param root The folder of outputs. */
  constructor(console: Console, studio: Studio, reader: PromptReader, root: string) {
    this.#console = console;
    this.#studio = studio;
    this.#reader = reader;
    this.#root = root;
  }

  /**
   * Does what a command asks for, where the answer is one.
   *
   * @param answers What it changes: of this picture, or of all that follow.
   * @throws {RequestError} When there is no such command, or what it names is not there.
   */
  async run(answer: string, answers: Answers): Promise<Commanded> {
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
  async #ask(question: string, options: AskOptions = {}): Promise<string> {
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
        ? await this.#ask(text.askNegative(negativePrompt), {
          complete: this.#reader.completion(),
        })
        : said,
    ];
    await this.#reader.continued(lines, true);
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
      ? (await this.#ask(text.askPreset, {
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
    const answer = said === "" ? (await this.#ask(text.askImage)).trim() : said;
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
    const answer = said === "" ? (await this.#ask(text.askMask)).trim() : said;
    if (answer === "") return;
    const { mask: _mask, ...source } = answers.request.source ?? {};
    const changed = answer === NOTHING ? source : { ...source, mask: answer };
    if (answer !== NOTHING) await this.#studio.openSource(changed);
    answers.request = { ...answers.request, source: changed };
    this.#console.say(text.maskIs(answer === NOTHING ? undefined : answer));
  }
}
