/**
 * Prompts while they are written: what is wrong with them, how long they are to the encoders, how a
 * word may go on. It needs tokenizers and lists of words, and no weights.
 *
 * @module
 */
import type { Language, Texts } from "../language.ts";
import { findCheckpoint } from "../pipeline/checkpoint/find_checkpoint.ts";
import { openPromptEncoders } from "../pipeline/checkpoint/prompt_encoders.ts";
import {
  type CheckedPrompt,
  checkPrompt,
  KNOWN_ELEMENTS,
  parseXmlPrompt,
  type PromptEncoder,
  unwrapPrompt,
  type XmlPromptObject,
} from "../prompt/mod.ts";
import { type KnownTag, loadTagList, type TagList } from "../tags/mod.ts";
import { isTemplate } from "../templates/mod.ts";
import { beyondTraining, KnownWords } from "./known_words.ts";
import type { StudioOptions } from "./studio_thread.ts";

/** Where lists of tags lie, unless somebody says another folder. */
export const TAG_FOLDER = "tags";

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
  /** How many pictures of Danbooru have it, where that is known. */
  readonly count?: number;
  /** The alias that was begun. */
  readonly alias?: string;
}

/** The ways in which the word at a place may go on. */
export interface PromptCompletions {
  /** UTF-16 units from the start of the prompt: where the word begins. */
  readonly from: number;
  readonly options: readonly PromptCompletion[];
}

const MOST_OPTIONS = 30;

/** Prompts as a model reads them. */
export class PromptDesk {
  readonly #encoders: readonly PromptEncoder[];
  readonly #words: KnownWords | undefined;
  readonly #tags: TagList;

  private constructor(
    encoders: readonly PromptEncoder[],
    words: KnownWords | undefined,
    tags: TagList,
  ) {
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
    tagFolder = TAG_FOLDER,
  ): Promise<PromptDesk> {
    const files = await findCheckpoint(model, {
      parts: { transformer, textEncoder, clipModel, vae },
      variant,
    });
    return new PromptDesk(
      await openPromptEncoders(files),
      await KnownWords.of(files),
      await loadTagList(tagFolder),
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
    const checked = checkPrompt(prompt, { language, encoders: this.#encoders });
    const isReadable = checked.canonical !== undefined && this.#words !== undefined;
    const size = { ...(width === undefined ? {} : { width }), ...(height && { height }) };
    const beyond: Texts<readonly string[]> = isReadable
      ? beyondTraining(this.#words!, { prompt, ...size })
      : { en: [], zh: [] };
    return {
      ...checked,
      isTemplate: isTemplate(prompt),
      beyondTraining: prompt.trim() === "" ? [] : beyond[language],
      hasOwnPlaces: unwrapPrompt(prompt).text.length === prompt.length,
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

  /** How the word before a place may go on: an element behind `<`, else a tag. */
  complete(prompt: string, offset: number): PromptCompletions {
    const before = prompt.slice(0, offset);
    const element = /<(\/?)([\w.-]*)$/.exec(before);
    if (element !== null) {
      const [, slash, begun] = element;
      const from = offset - begun!.length;
      const names = slash === "/" ? openElements(before) : KNOWN_ELEMENTS;
      const options = names.filter((name) => name.startsWith(begun!))
        .map((text) => ({ text, kind: "element" as const }));
      return { from, options: options.slice(0, MOST_OPTIONS) };
    }
    const word = /[^<>,，、\n|]*$/.exec(before)![0].trimStart();
    const from = offset - word.length;
    if (word.trim() === "") return { from, options: [] };
    const listed = this.#tags.complete(word, MOST_OPTIONS).map(optionOf);
    const known = (this.#words?.complete(word, MOST_OPTIONS) ?? [])
      .filter((text) => !listed.some((option) => option.text === text))
      .map((text) => ({ text, kind: "tag" as const }));
    return { from, options: [...listed, ...known].slice(0, MOST_OPTIONS) };
  }
}

function optionOf({ name, count, alias }: KnownTag & { readonly alias?: string }) {
  return { text: name, kind: "tag" as const, count, ...(alias === undefined ? {} : { alias }) };
}

/** The elements that are open at the end of a text, the innermost first. */
function openElements(text: string): readonly string[] {
  const open: string[] = [];
  for (const [, slash, name] of text.matchAll(/<(\/?)([A-Za-z_][\w.-]*)[^<>]*>/g)) {
    if (slash === "") open.push(name!);
    else if (open.at(-1) === name) open.pop();
  }
  return open.reverse();
}
