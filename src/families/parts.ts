/**
 * The four parts of a model, and what people call them. Nothing else says it.
 *
 * @module
 */
import type { Language, Texts } from "../language.ts";

/** What each part is called, in the middle of a sentence. */
export const PARTS = {
  transformer: { en: "transformer", zh: "Transformer" },
  textEncoder: { en: "text encoder", zh: "文本编码器" },
  clipModel: { en: "CLIP model", zh: "CLIP 模型" },
  vae: { en: "VAE", zh: "VAE" },
} as const satisfies Readonly<Record<string, Texts<string>>>;

/** A part, as the API and files name it. */
export type PartName = keyof typeof PARTS;

/** All parts, in the order in which people are told of them. */
export const PART_NAMES = Object.keys(PARTS) as readonly PartName[];

/** The parts' words in one language. */
export function partWords(language: Language): EachPart<string> {
  const words = PART_NAMES.map((name) => [name, PARTS[name][language]]);
  return Object.fromEntries(words) as EachPart<string>;
}

/** What holds one thing for each part. */
export type EachPart<T> = Readonly<Record<PartName, T>>;
