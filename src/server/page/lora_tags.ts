/** `<lora:name:0.8>` in a prompt: adapters and their weights, found and written. */

import { readWeightedName } from "../../prompt/read_lora_tags.ts";

/** An adapter that a prompt asks for. */
export interface LoraTag {
  readonly name: string;
  readonly weight: number;
  /** The weight in the text encoders, where the tag has one of its own. */
  readonly textWeight?: number;
  /** UTF-16 units from the start of the prompt. */
  readonly offset: number;
  readonly length: number;
}

const TAG = /[<＜](?:lora|lyco|lycoris)[:：]([^<>＜＞\r\n]{1,300})[>＞]/gi;
const COMMENT = /<!--[^]*?-->/g;

/** The adapters in a prompt, in their order. */
export function loraTagsIn(prompt: string): readonly LoraTag[] {
  const comments = [...prompt.matchAll(COMMENT)];
  const isInComment = (at: number) =>
    comments.some(({ index, 0: { length } }) => index <= at && at < index + length);
  return [...prompt.matchAll(TAG)].filter(({ index }) => !isInComment(index)).map((match) => ({
    ...readWeightedName(match[1]!),
    offset: match.index,
    length: match[0].length,
  }));
}

/** Whether a tag can say the name. */
export function canBeTagged(name: string): boolean {
  return !/[<>＜＞\r\n]/.test(name) && name.length < 280;
}

/** A prompt with another weight for an adapter; added at its end where it is not in there yet. */
export function withLora(prompt: string, name: string, weight: number): string {
  const tag = loraTagsIn(prompt).find((tag) => tag.name === name);
  if (tag === undefined) {
    const before = prompt.trimEnd();
    return `${before}${between(before)}${written(name, weight)}`;
  }
  const { offset, length, textWeight } = tag;
  return prompt.slice(0, offset) + written(name, weight, textWeight) +
    prompt.slice(offset + length);
}

/** A prompt with the adapters of a recipe, which are `name:0.8` there, at its end. */
export function withLoras(prompt: string, loras: unknown): string {
  const names = Array.isArray(loras) ? loras.map((lora) => `<lora:${lora}>`) : [];
  // To the model, a space at the end is another prompt.
  if (names.length === 0) return prompt;
  return names.reduce((text, tag) => `${text}${between(text)}${tag}`, prompt.trimEnd());
}

/** A prompt without an adapter, and without the space that stood around it. */
export function withoutLora(prompt: string, name: string): string {
  let text = prompt;
  for (const tag of loraTagsIn(prompt).filter((tag) => tag.name === name).toReversed()) {
    const before = text.slice(0, tag.offset).replace(/[ \t]+$/, "");
    const after = text.slice(tag.offset + tag.length);
    const isAtEnd = after.trim() === "";
    text = (isAtEnd ? before.trimEnd() : before) + (isAtEnd ? "" : after);
  }
  return text;
}

/** What stands between a prompt and an adapter at its end: tags share a line of their own. */
function between(prompt: string): string {
  if (prompt === "") return "";
  const last = prompt.slice(prompt.lastIndexOf("\n") + 1);
  return prompt.includes("\n") && !/^\s*<lora:/.test(last) ? "\n" : " ";
}

function written(name: string, weight: number, textWeight?: number): string {
  const number = (value: number) => String(Math.round(value * 1000) / 1000);
  // Behind a name that ends like a weight both weights are said.
  const isLikeWeight = readWeightedName(name).name !== name;
  const inText = textWeight ?? (isLikeWeight ? weight : undefined);
  const weights = [...(inText === undefined ? [] : [number(inText)]), number(weight)];
  return `<lora:${[name, ...weights].join(":")}>`;
}
