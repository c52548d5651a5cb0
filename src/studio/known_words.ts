/**
 * What a small model knows, and where a prompt asks for more: the demo model was trained on a list of
 * tags, which lies beside its weights.
 *
 * @module
 */
import { dirname, join, resolve } from "node:path";
import * as z from "zod";
import { ConfigError } from "../errors.ts";
import { isMissing } from "../files.ts";
import type { Texts } from "../language.ts";
import type { CheckpointFiles } from "../pipeline/checkpoint/types.ts";
import { isNearName, parsePrompt, type PromptNode } from "../prompt/mod.ts";
import { schemaProblems } from "../schema_problems.ts";
import { shown } from "../shown.ts";
import { readWholeText } from "../whole_file.ts";

const FILE = "words.json";
const text = z.string().min(1);
const schema = z.object({
  format: z.literal(1),
  groups: z.array(z.object({
    scope: z.enum(["character", "general"]),
    element: text,
    /** What the words of the group say. */
    en: text,
    zh: text,
    words: z.array(z.object({ tag: text, en: text, zh: text, also: z.array(text) })),
  })),
  sentenceWords: z.array(text),
  /** The longest side of the pictures of the training, in pixels. */
  largestSize: z.int().positive().optional(),
});

type Vocabulary = z.infer<typeof schema>;

/** A word that the model does not know. */
export interface UnknownWord {
  /** As it was typed. */
  readonly word: string;
  /** Tags that it knows and that come near, the nearest first; none where nothing does. */
  readonly near: readonly string[];
}

/** The most characters that the demo model saw in one picture. */
const MOST_CHARACTERS = 2;
/** How many near words are named. */
const MOST_NEAR = 4;
/** More words than this between two commas are a sentence. */
const MOST_WORDS_OF_A_TAG = 3;

/** The words of a model. */
export class KnownWords {
  readonly #tags: ReadonlySet<string>;
  readonly #words: ReadonlySet<string>;
  /** Tags by their names in both languages. */
  readonly #translations: ReadonlyMap<string, string>;
  /** Tags in the order of the list, each once. */
  readonly #order: readonly string[];

  /** The longest side of the pictures of the training, in pixels, where the list says it. */
  readonly largestSize: number | undefined;

  private constructor({ groups, sentenceWords, largestSize }: Vocabulary) {
    this.largestSize = largestSize;
    const entries = groups.flatMap(({ words }) => words);
    this.#order = [...new Set(entries.map(({ tag }) => tag))];
    this.#tags = new Set(entries.flatMap(({ tag, also }) => [tag, ...also]));
    this.#words = new Set([...sentenceWords, ...[...this.#tags].flatMap((tag) => tag.split("_"))]);
    this.#translations = new Map(
      entries.flatMap(({ tag, en, zh }) => [[zh, tag], [normal(en), tag]] as const),
    );
  }

  /**
   * Reads the words that lie beside a model's parts; undefined where there is no list, as beside the
   * real weights.
   *
   * @throws {ConfigError} When the list is damaged.
   */
  static async of({ transformer }: CheckpointFiles): Promise<KnownWords | undefined> {
    return await KnownWords.read(join(dirname(resolve(transformer.weights)), FILE));
  }

  /**
   * Reads a list; undefined where there is none.
   *
   * @throws {ConfigError} When it is damaged.
   */
  static async read(path: string): Promise<KnownWords | undefined> {
    let json: unknown;
    try {
      json = JSON.parse(await readWholeText(path));
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      if (!(cause instanceof SyntaxError)) throw cause;
    }
    const read = schema.safeParse(json, { reportInput: true });
    if (!read.success) throw new ConfigError(path, schemaProblems(read.error));
    return new KnownWords(read.data);
  }

  /**
   * What of a prompt the model does not know. Names of characters may be any. Of text in tags each
   * tag counts, of sentences each word.
   */
  unknownIn(prompt: string): readonly UnknownWord[] {
    const unknown = new Map<string, UnknownWord>();
    for (const word of phrasesOf(prompt).flatMap((phrase) => this.#unknownOf(phrase))) {
      const name = normal(word);
      if (!unknown.has(name)) unknown.set(name, { word: shown(word), near: this.#near(name) });
    }
    return [...unknown.values()];
  }

  /** Tags that begin so, in the order of the list. */
  beginningWith(start: string): readonly string[] {
    const plain = normal(start);
    return plain === "" ? [] : this.#order.filter((tag) => tag.startsWith(plain));
  }

  /** Tags that a word which the model does not know was probably meant to be, the nearest first. */
  near(word: string): readonly string[] {
    return this.#near(normal(word));
  }

  #unknownOf(phrase: string): readonly string[] {
    const tag = normal(phrase);
    if (tag === "" || this.#tags.has(tag)) return [];
    const words = phrase.split(/[\s.!?;:]+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
    if (words.length <= MOST_WORDS_OF_A_TAG) return [phrase];
    return words.filter((word) => !this.#words.has(normal(word)) && !this.#tags.has(normal(word)));
  }

  #near(name: string): readonly string[] {
    const translated = this.#translations.get(name.replaceAll("_", "")) ??
      this.#translations.get(name);
    if (translated !== undefined) return [translated];
    const misspelt = this.#order.filter((tag) => isNearName(name, tag));
    const parts = name.split("_");
    const kin = KIN[parts[0]!] ?? [];
    const last = parts.at(-1)!;
    // "silver_hair": hair of a colour near silver, then any hair.
    const sameThing = this.#order.filter((tag) => tag.split("_").at(-1) === last);
    const nearColor = sameThing.filter((tag) => kin.includes(tag.split("_")[0]!));
    const sharing = this.#order.filter((tag) =>
      tag.split("_").some((part) => part.length > 3 && parts.includes(part))
    );
    const all = [...misspelt, ...nearColor, ...sameThing, ...sharing];
    return [...new Set(all)].slice(0, MOST_NEAR);
  }
}

/**
 * What a request asks for beyond the training of the demo model, a sentence each; none where it asks
 * for nothing.
 *
 * @param defaultSize The longest side of the pictures of the training, where the list does not say it.
 * @param learned Words that adapters taught it besides.
 * @throws {XmlPromptError} When the prompt is malformed XML.
 */
export function beyondTraining(
  words: KnownWords,
  { prompt, width, height }: {
    readonly prompt: string;
    readonly width?: number;
    readonly height?: number;
  },
  defaultSize?: number,
  learned: readonly string[] = [],
): Texts<readonly string[]> {
  const largest = words.largestSize ?? defaultSize;
  const said = [
    ...aboutWords(words.unknownIn(prompt).filter(({ word }) => !learned.includes(word))),
    ...aboutCharacters(charactersIn(prompt)),
    ...(largest === undefined ? [] : aboutSize(width ?? 0, height ?? 0, largest)),
  ];
  return { en: said.map(({ en }) => en), zh: said.map(({ zh }) => zh) };
}

function aboutWords(unknown: readonly UnknownWord[]): readonly Texts<string>[] {
  if (unknown.length === 0) return [];
  const named = unknown.slice(0, MOST_NAMED);
  const more = unknown.length - named.length;
  const isOtherLanguage = unknown.some(({ word }) => /(?=\p{L})\P{Script=Latin}/u.test(word));
  return [
    ...named.map(({ word, near }) => ({
      en: `The demo model does not know ${word}` +
        (near.length === 0 ? "." : `; it knows ${near.join(", ")}.`),
      zh: `演示模型不认识 ${word}` + (near.length === 0 ? "。" : `；它认识 ${near.join("、")}。`),
    })),
    ...(more === 0 ? [] : [{
      en: `Nor does it know ${more} more of the words.`,
      zh: `另有 ${more} 个词它也不认识。`,
    }]),
    ...(isOtherLanguage
      ? [{ en: "The demo model reads English tags only.", zh: "演示模型只读英文标签。" }]
      : []),
    {
      en: `models/demo/${FILE} lists all that it knows.`,
      zh: `它认识的全部词语见 models/demo/${FILE}。`,
    },
  ];
}

function aboutCharacters(count: number): readonly Texts<string>[] {
  if (count <= MOST_CHARACTERS) return [];
  return [{
    en: `The demo model draws at most ${MOST_CHARACTERS} characters; the prompt has ${count}.`,
    zh: `演示模型最多画 ${MOST_CHARACTERS} 个角色；提示词里有 ${count} 个。`,
  }];
}

/** @param width 0 for the model's own. */
function aboutSize(width: number, height: number, largest: number): readonly Texts<string>[] {
  if (width <= largest && height <= largest) return [];
  return [{
    en:
      `The demo model was trained on pictures of at most ${largest} × ${largest} pixels; in larger ` +
      "ones figures repeat or tear.",
    zh: `演示模型的训练图片最大为 ${largest} × ${largest} 像素；更大的图片里人物会重复或破碎。`,
  }];
}

/** How many unknown words are named. */
const MOST_NAMED = 6;

/** The first words of tags that come nearest to colours and the like that a list may lack. */
const KIN: Readonly<Record<string, readonly string[]>> = {
  silver: ["white", "grey", "pale"],
  grey: ["white", "black"],
  gray: ["grey", "white", "black"],
  platinum: ["white", "blonde"],
  golden: ["yellow", "blonde"],
  gold: ["yellow", "blonde"],
  blond: ["blonde"],
  brunette: ["brown"],
  aqua: ["blue", "green"],
  cyan: ["blue", "green"],
  teal: ["green", "blue"],
  turquoise: ["blue", "green"],
  navy: ["blue"],
  violet: ["purple"],
  lavender: ["purple"],
  lilac: ["purple", "pink"],
  magenta: ["pink", "purple"],
  crimson: ["red"],
  scarlet: ["red"],
  maroon: ["red", "brown"],
  amber: ["yellow", "brown", "orange"],
  hazel: ["brown", "green"],
  beige: ["white", "brown"],
  light: ["pale", "white"],
  very: ["long"],
};

/** Elements whose text is a name, or says what the list does not hold. */
const ANY_TEXT = new Set(["n", "name", "resolution", "artists", "artist", "copyright"]);

/** What stands between commas, in elements or in plain text. */
function phrasesOf(prompt: string): readonly string[] {
  const parsed = parsePrompt(prompt);
  const texts = parsed.kind === "text" ? [parsed.text] : parsed.roots.flatMap(textsIn);
  return texts.flatMap((text) => text.split(/[,，、\n|]+/)).map((phrase) => phrase.trim());
}

function textsIn({ name, text, children }: PromptNode): readonly string[] {
  if (ANY_TEXT.has(name)) return [];
  return [text, ...children.flatMap(textsIn)];
}

function charactersIn(prompt: string): number {
  const parsed = parsePrompt(prompt);
  if (parsed.kind === "text") {
    const counts = [...parsed.text.matchAll(/\b(\d)\+?(?:girl|boy)s?\b/gi)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  }
  const count = (nodes: readonly PromptNode[]): number =>
    nodes.reduce(
      (sum, { name, children }) => sum + (/^character_\d+$/.test(name) ? 1 : count(children)),
      0,
    );
  return count(parsed.roots);
}

/** With underscores, and without the weights and brackets that other programs have. */
function normal(word: string): string {
  return word.trim().toLowerCase().replace(/^[([{\\]+/, "").replace(/[)\]}]+$/, "")
    .replace(/:[\d.]+$/, "").replace(/[.!?]+$/, "").trim().replaceAll(/[\s_]+/g, "_");
}
