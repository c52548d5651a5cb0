/** A prompt as cards, and back. */

import { loraTagsIn } from "./lora_tags.ts";

/** One element with its tags. */
export interface Field {
  readonly name: string;
  readonly text: string;
}

/** An element with fields in it. */
export interface Card {
  readonly name: string;
  readonly fields: readonly Field[];
}

/** A prompt, as far as cards show it. */
export interface Cards {
  readonly characters: readonly Card[];
  readonly general: readonly Field[];
  /** Whatever else stands there, as it was typed. */
  readonly rest: readonly string[];
  /** `<lora:…>`, which stand in no element: they belong to the whole picture. */
  readonly loras: readonly string[];
}

export const CHARACTER_FIELDS = [
  "n",
  "gender",
  "appearance",
  "clothing",
  "expression",
  "action",
  "interaction",
  "position",
] as const;
export const GENERAL_FIELDS = [
  "count",
  "style",
  "background",
  "environment",
  "perspective",
  "atmosphere",
  "lighting",
  "quality",
  "objects",
  "other",
] as const;
export const POSITIONS = ["left", "center", "right"] as const;

const CHARACTER = /^character_\d+$/;
const GENERAL = "general_tags";

/** The tags of adapters in a prompt. */
export function tagsIn(prompt: string): readonly string[] {
  return loraTagsIn(prompt).map(({ offset, length }) => prompt.slice(offset, offset + length));
}

/** A prompt without its tags of adapters. */
export function withoutTags(prompt: string): string {
  return loraTagsIn(prompt).reduceRight(
    (text, { offset, length }) => text.slice(0, offset) + text.slice(offset + length),
    prompt,
  );
}

/** Reads an XML prompt; undefined when it has errors. */
export function cardsOf(prompt: string): Cards | undefined {
  // Text such as "a & b" is allowed in prompts.
  const strict = withoutTags(prompt).replace(
    /&(?!(?:lt|gt|amp|quot|apos|#\d+|#x[\da-f]+);)/gi,
    "&amp;",
  );
  const parsed = new DOMParser().parseFromString(`<prompt>${strict}</prompt>`, "application/xml");
  if (parsed.querySelector("parsererror") !== null) return undefined;
  const characters: Card[] = [];
  const general: Field[] = [];
  const rest: string[] = [];
  for (const node of parsed.documentElement.childNodes) {
    const fields = node instanceof Element ? fieldsOf(node) : undefined;
    if (node instanceof Element && fields !== undefined && CHARACTER.test(node.nodeName)) {
      characters.push({ name: node.nodeName, fields });
    } else if (node instanceof Element && fields !== undefined && node.nodeName === GENERAL) {
      general.push(...fields);
    } else {
      const text = new XMLSerializer().serializeToString(node).trim();
      if (text !== "") rest.push(text);
    }
  }
  return { characters, general, rest, loras: tagsIn(prompt) };
}

/** The elements in an element, where it has nothing else in it. */
function fieldsOf(element: Element): Field[] | undefined {
  if (element.attributes.length > 0) return undefined;
  const fields: Field[] = [];
  for (const node of element.childNodes) {
    if (node.nodeType === Node.TEXT_NODE && (node.nodeValue ?? "").trim() === "") continue;
    if (!(node instanceof Element) || node.childElementCount > 0) return undefined;
    if (node.attributes.length > 0) return undefined;
    fields.push({ name: node.nodeName, text: withoutLines(node.textContent ?? "") });
  }
  return fields;
}

/** Without the line breaks around it; a space at an end may have just been typed. */
function withoutLines(text: string): string {
  return text.replace(/^\s*\n\s*/, "").replace(/\s*\n\s*$/, "");
}

/** The prompt that cards mean; characters are numbered in their order. */
export function promptOf({ characters, general, rest, loras }: Cards): string {
  const blocks = characters.map(({ fields }, index) => block(`character_${index + 1}`, fields));
  return [...blocks, ...(general.length === 0 ? [] : [block(GENERAL, general)]), ...rest]
    .concat(loras.length === 0 ? [] : [loras.join(" ")]).join("\n\n");
}

function block(name: string, fields: readonly Field[]): string {
  const lines = fields.map(({ name, text }) => `  <${name}>${escaped(text)}</${name}>`);
  return [`<${name}>`, ...lines, `</${name}>`].join("\n");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A character with nothing in it yet. */
export function newCharacter(): Card {
  const fields = (["n", "gender", "appearance", "clothing", "expression"] as const)
    .map((name) => ({ name, text: name === "gender" ? "1girl" : "" }));
  return { name: "", fields };
}
