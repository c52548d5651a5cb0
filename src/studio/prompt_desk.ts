/**
 * Prompts while they are written: what is wrong with them, how long they are to the encoders, how a
 * word may go on. It needs tokenizers and lists of words, and no weights.
 *
 * @module
 */
import { RequestError } from "../errors.ts";
import type { Language, Texts } from "../language.ts";
import { findCheckpoint } from "../pipeline/checkpoint/find_checkpoint.ts";
import { openPromptEncoders } from "../pipeline/checkpoint/prompt_encoders.ts";
import {
  type CheckedPrompt,
  checkPrompt,
  MAX_PROMPT_LENGTH,
  parseXmlPrompt,
  type PromptEncoder,
  readLoraTags,
  unwrapPrompt,
  type XmlPromptObject,
} from "../prompt/mod.ts";
import { loadTagList, type TagList } from "../tags/mod.ts";
import { shown } from "../shown.ts";
import { isTemplate } from "../templates/mod.ts";
import { findAdapters, loraFolders } from "../pipeline/adapters/adapter_folders.ts";
import { beyondTraining, KnownWords } from "./known_words.ts";
import { completePrompt } from "./prompt_completion.ts";
import type { PictureRequest } from "./request.ts";
import type { StudioOptions } from "./studio_thread.ts";

/** What is to be said of a prompt. */
export interface LintedPrompt extends CheckedPrompt {
  /** Whether each picture draws its own prompt from it; then it is checked when it is drawn. */
  readonly isTemplate: boolean;
  /** What it asks for beyond the training of a small model, in sentences. */
  readonly beyondTraining: readonly string[];
  /**
   * Whether places of diagnostics are those of the text as typed; they are not where the prompt was
   * pasted inside of JSON.
   */
  readonly hasOwnPlaces: boolean;
}

/** A way in which a word may go on. */
export interface PromptCompletion {
  /** What takes the place of the word. */
  readonly text: string;
  readonly kind: "element" | "tag";
}

/** The ways in which the word at a place may go on. */
export interface PromptCompletions {
  /** UTF-16 units from the start of the prompt: where the word begins. */
  readonly from: number;
  readonly options: readonly PromptCompletion[];
}

/** How many adapters a message lists. */
const MOST_LISTED = 40;

/** Prompts as a model reads them. */
export class PromptDesk {
  readonly #encoders: readonly PromptEncoder[];
  readonly #words: KnownWords | undefined;
  readonly #tags: TagList;
  readonly #model: string;

  private constructor(
    model: string,
    encoders: readonly PromptEncoder[],
    words: KnownWords | undefined,
    tags: TagList,
  ) {
    this.#model = model;
    this.#encoders = encoders;
    this.#words = words;
    this.#tags = tags;
  }

  /**
   * Reads a model's tokenizers.
   *
   * @param model The folder of the model.
   * @throws {CheckpointNotFoundError} When there is no checkpoint.
   * @throws {TokenizerError} When a tokenizer cannot be read.
   * @throws {RequestError} When a list of tags is none.
   */
  static async open(
    model: string,
    { transformer, textEncoder, clipModel, vae, variant }: StudioOptions = {},
  ): Promise<PromptDesk> {
    const files = await findCheckpoint(model, {
      parts: { transformer, textEncoder, clipModel, vae },
      variant,
    });
    return new PromptDesk(
      model,
      await openPromptEncoders(files),
      await KnownWords.of(files),
      await loadTagList(),
    );
  }

  /** Tells everything that is wrong with a prompt or probably not meant. */
  lint(
    prompt: string,
    { language, width, height }: {
      readonly language: Language;
      readonly width?: number | undefined;
      readonly height?: number | undefined;
    },
  ): LintedPrompt {
    const checked = checkPrompt(prompt, { language, encoders: this.#encoders, fixes: true });
    const isReadable = checked.canonical !== undefined && this.#words !== undefined;
    const size = { ...(width === undefined ? {} : { width }), ...(height && { height }) };
    const beyond: Texts<readonly string[]> = isReadable
      ? beyondTraining(this.#words!, { prompt, ...size })
      : { en: [], zh: [] };
    return {
      ...checked,
      isTemplate: isTemplate(prompt),
      beyondTraining: prompt.trim() === "" ? [] : beyond[language],
      hasOwnPlaces: unwrapPrompt(prompt).unused === undefined,
    };
  }

  /**
   * What a prompt says, as a plain object.
   *
   * @throws {XmlPromptError} When the XML is malformed.
   */
  parse(prompt: string): XmlPromptObject {
    return parseXmlPrompt(prompt);
  }

  /** The adapters that may be asked for by their names. */
  async adapterNames(): Promise<readonly string[]> {
    return (await findAdapters(loraFolders(this.#model))).map(({ name }) => name);
  }

  /**
   * Refuses adapters that are asked for by a path, or that are not there: whoever asks from outside
   * may not name files of this machine.
   *
   * @throws {RequestError} Naming the first, with those that are there.
   */
  async refuseUnknownAdapters(
    { prompt, negativePrompt = "", raw = false, loras = [] }: PictureRequest,
  ): Promise<void> {
    const tagged = raw ? [] : [prompt, negativePrompt].flatMap((text) => readLoraTags(text).loras);
    const asked = [...loras, ...tagged];
    if (asked.length === 0) return;
    const names = await this.adapterNames();
    const unknown = asked.find(({ name }) => !names.includes(name));
    if (unknown === undefined) return;
    const list = names.slice(0, MOST_LISTED);
    throw new RequestError({
      en: `There is no adapter "${shown(unknown.name)}". ` +
        (list.length === 0 ? "Put adapters into models/loras." : `There are: ${list.join(", ")}.`),
      zh: `没有适配器 “${shown(unknown.name)}”。` +
        (list.length === 0 ? "请把适配器放入 models/loras。" : `现有：${list.join("、")}。`),
    });
  }

  /** How the word before a place may go on: an element behind `<`, else a tag. */
  complete(prompt: string, offset: number): PromptCompletions {
    if (prompt.length > MAX_PROMPT_LENGTH) return { from: offset, options: [] };
    const before = prompt.slice(0, offset);
    const start = before.lastIndexOf("\n") + 1;
    const { typed, candidates } = completePrompt(before.slice(start), before.slice(0, start), {
      words: this.#words,
      tags: this.#tags,
    });
    const isElement = /<\/?$/.test(before.slice(0, offset - typed.length));
    return {
      from: offset - typed.length,
      options: candidates.map((text) => ({ text, kind: isElement ? "element" : "tag" })),
    };
  }
}
