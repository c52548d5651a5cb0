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
import { isFolder } from "../files.ts";
import { isTemplate, loadWildcards } from "../templates/mod.ts";
import { findAdapters, loraFolders } from "../pipeline/adapters/adapter_folders.ts";
import { beyondTraining, KnownWords } from "./known_words.ts";
import { completePrompt } from "./prompt_completion.ts";
import { WILDCARD_FOLDER } from "./prompt_template.ts";
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
  readonly kind: "element" | "tag" | "adapter" | "wildcard";
}

/** The ways in which the word at a place may go on. */
export interface PromptCompletions {
  /** UTF-16 units from the start of the prompt: where the word begins. */
  readonly from: number;
  readonly options: readonly PromptCompletion[];
}

/** A wildcard and some of what it can stand for. */
export interface WildcardList {
  readonly name: string;
  /** How many values it has. */
  readonly count: number;
  /** The first of them, as they stand in the file. */
  readonly values: readonly string[];
}

/** How many adapters a message lists. */
const MOST_LISTED = 40;
/** How many adapters or wildcards are offered at once. */
const MOST_OFFERED = 50;
/** How many values of a wildcard are told. */
const MOST_VALUES = 200;
/** What stands before an adapter's name, and before a wildcard's, up to the cursor. */
const BEFORE_ADAPTER = /[<＜](?:lora|lyco)[:：]([^<>＜＞:：\n]*)$/iu;
const BEFORE_WILDCARD = /(?<![\p{L}\p{N}_])__([\p{L}\p{N}][\p{L}\p{N}_/-]*)?$/u;

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
    // Adapters are loaded and taken out of the text before anything reads it.
    const { blanked } = readLoraTags(prompt);
    const checked = checkPrompt(blanked, { language, encoders: this.#encoders, fixes: true });
    const isReadable = checked.canonical !== undefined && this.#words !== undefined &&
      !isTemplate(prompt);
    const size = { ...(width === undefined ? {} : { width }), ...(height && { height }) };
    const beyond: Texts<readonly string[]> = isReadable
      ? beyondTraining(this.#words!, { prompt: blanked, ...size })
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

  /**
   * The wildcards of a folder.
   *
   * @param folder Where there is none, there are no wildcards.
   * @throws {RequestError} When it holds too much, or a file of it is damaged.
   */
  async wildcardNames(folder = WILDCARD_FOLDER): Promise<readonly string[]> {
    return await isFolder(folder) ? (await loadWildcards(folder)).names : [];
  }

  /**
   * What a wildcard can stand for; undefined where there is none of the name.
   *
   * @throws {RequestError} When its file is damaged.
   */
  async wildcard(name: string, folder = WILDCARD_FOLDER): Promise<WildcardList | undefined> {
    if (!await isFolder(folder)) return undefined;
    const wildcards = await loadWildcards(folder);
    if (!wildcards.names.includes(name)) return undefined;
    const values = wildcards.values(name).map(({ text }) => text);
    return { name, count: values.length, values: values.slice(0, MOST_VALUES) };
  }

  /**
   * How the word before a place may go on: an adapter behind `<lora:`, a wildcard behind `__`, an
   * element behind `<`, else a tag.
   *
   * @param wildcards The folder of wildcards.
   */
  async complete(
    prompt: string,
    offset: number,
    { wildcards = WILDCARD_FOLDER }: { readonly wildcards?: string } = {},
  ): Promise<PromptCompletions> {
    if (prompt.length > MAX_PROMPT_LENGTH) return { from: offset, options: [] };
    const before = prompt.slice(0, offset);
    const start = before.lastIndexOf("\n") + 1;
    const line = before.slice(start);
    const adapter = BEFORE_ADAPTER.exec(line)?.[1];
    if (adapter !== undefined) {
      const names = namesWith(adapter, await this.adapterNames())
        // A tag cannot say these.
        .filter((name) => !/[<>＜＞]/.test(name));
      const options = names.map((name) => ({ text: weighted(name), kind: "adapter" as const }));
      return { from: offset - adapter.length, options };
    }
    const wildcard = BEFORE_WILDCARD.exec(line);
    if (wildcard !== null) {
      const typed = wildcard[1] ?? "";
      // A damaged list is told of where it is drawn from.
      const known = await this.wildcardNames(wildcards).catch(() => []);
      const options = namesWith(typed, known).map((name) => ({
        text: `${name}__`,
        kind: "wildcard" as const,
      }));
      if (options.length > 0) return { from: offset - typed.length, options };
    }
    const { typed, candidates } = completePrompt(line, before.slice(0, start), {
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

/** The rest of a tag that asks for an adapter; behind a name that ends like a weight both are said. */
function weighted(name: string): string {
  const isLikeWeight = readLoraTags(`<lora:${name}:1>`).loras[0]?.name !== name;
  return `${name}${isLikeWeight ? ":1:1" : ":1"}>`;
}

/** Names that hold what was typed, those that begin with it first. */
function namesWith(typed: string, names: readonly string[]): readonly string[] {
  const wanted = typed.toLowerCase();
  const places = names.map((name) => [name, name.toLowerCase().indexOf(wanted)] as const);
  const found = places.filter(([, place]) => place >= 0);
  return found.toSorted(([, a], [, b]) => Number(a > 0) - Number(b > 0))
    .slice(0, MOST_OFFERED).map(([name]) => name);
}
