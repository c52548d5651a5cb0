/**
 * What in a prompt is markup, and what only looks like it.
 *
 * `<` and `>` are common in Danbooru's tags (`>_<`, `<o>_<o>`, `:<`, `<3`), so markup is what has the
 * whole shape of it. Where that is decided, only the characters up to the next `<` count: a text
 * reads the same wherever it stands, and a prompt is read in linear time.
 *
 * @module
 */
import { CLOSING, isWide, OPENING } from "./_brackets.ts";
import { isKnown } from "./_known_elements.ts";

/** One piece of markup. */
export interface Markup {
  readonly kind: "open" | "close" | "comment" | "cdata" | "instruction" | "declaration";
  readonly start: number;
  readonly end: number;
  /** Of a tag: what it means, where it is written loosely. */
  readonly name: string;
  /** Whether its end is missing. */
  readonly isUnended: boolean;
  /**
   * Whether one of the model's elements is written as XML does not allow: with an input method's
   * brackets, `＜n＞`, or with spaces, `<general tags>`, `</ caption>`.
   */
  readonly isLoose: boolean;
}

const NAME = String.raw`[\p{L}_][\p{L}\p{N}\p{M}_.-]*`;
const TAG = new RegExp(`<(/?)(${NAME})`, "uy");
const SPACE = "[ \\t\u00a0\u3000]";
const LOOSE_TAG = new RegExp(
  `[${OPENING}](${SPACE}{0,3})([/／]?)(${SPACE}{0,3})(${NAME}(?:${SPACE}{1,3}[\\p{L}\\p{N}_]+){0,2})` +
    `${SPACE}{0,9}[/／]?[${CLOSING}]`,
  "uy",
);
/** It ends a system prompt, wherever that stands. */
const PROMPT_START = new RegExp(`[${OPENING}]Prompt Start[${CLOSING}]`, "iy");
const BRACKET = new RegExp(`[${OPENING}]`);
/** Two equal eyes around a mouth: Danbooru's `<o>_<o>`. */
const FACE = /<([a-z])>_<\1>/iy;
const INSTRUCTION = /<\?(?=[\p{L}_])/uy;
const DECLARATION = /<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)(?![\p{L}\p{N}_])/iuy;

const matchAt = (pattern: RegExp, text: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at;
  return pattern.exec(text);
};

/** All markup of a text, in order. */
export function* markupOf(text: string): Generator<Markup> {
  const ends = new EndFinder(text);
  const brackets = new RegExp(BRACKET, "g");
  for (let found = brackets.exec(text); found !== null; found = brackets.exec(text)) {
    const at = found.index;
    const face = text[at] === "<" ? matchAt(FACE, text, at) : null;
    if (face !== null && !isKnown(face[1]!)) {
      brackets.lastIndex = at + face[0].length;
      continue;
    }
    const markup = markupAt(text, at, ends);
    if (markup === undefined) continue;
    brackets.lastIndex = markup.end;
    yield markup;
  }
}

/** Whether any part of a text would be read as markup. */
export function holdsMarkup(text: string): boolean {
  return BRACKET.test(text) && !markupOf(text).next().done;
}

function markupAt(text: string, start: number, ends: EndFinder): Markup | undefined {
  const piece = (
    kind: Markup["kind"],
    end: number | undefined,
    opening: number,
    name = "",
  ): Markup => ({
    kind,
    start,
    end: end ?? start + opening,
    name,
    isUnended: end === undefined,
    isLoose: false,
  });
  if (text.startsWith("<!--", start)) return piece("comment", ends.after("-->", start + 4), 4);
  if (text.startsWith("<![CDATA[", start)) return piece("cdata", ends.after("]]>", start + 9), 9);
  if (matchAt(INSTRUCTION, text, start)) return piece("instruction", ends.after("?>", start), 2);
  const declaration = matchAt(DECLARATION, text, start);
  if (declaration !== null) {
    const opening = declaration[0].length;
    return piece("declaration", ends.afterDeclaration(start + opening), opening);
  }
  if (matchAt(PROMPT_START, text, start) !== null) return undefined;
  const loose = looseTag(text, start);
  if (loose !== undefined) {
    return { ...piece(loose.kind, start + loose.length, 0, loose.name), isLoose: true };
  }
  const tag = matchAt(TAG, text, start);
  if (tag === null) return undefined;
  const [opening, slash, name] = tag as unknown as [string, string, string];
  const behind = start + opening.length;
  const next = text[behind];
  // A colon and the like: `<lora:style:0.8>`, `<girl, blue`.
  if (next !== undefined && !/[ \t\r\n/><]/.test(next)) return undefined;
  const end = tagEnd(text, behind);
  // `<b` alone is text, but a known name is sure to have been meant as a tag.
  if (end === undefined && !isKnown(name)) return undefined;
  return piece(slash === "" ? "open" : "close", end, opening.length, name);
}

/** A tag of one of the model's elements that XML would not read as one. */
function looseTag(
  text: string,
  start: number,
): { readonly kind: "open" | "close"; readonly name: string; readonly length: number } | undefined {
  const match = matchAt(LOOSE_TAG, text, start);
  if (match === null) return undefined;
  const [whole, before, slash, behind, written] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
  ];
  const isFullWidth = isWide(whole);
  const isSpaced = before !== "" || behind !== "" || /\s/.test(written);
  if (!isFullWidth && !isSpaced) return undefined;
  const joined = written.replaceAll(/\s+/g, "_");
  const name = joined === written ? written : joined.toLowerCase();
  // `5 < n > 3`: only a longer name is sure to have been meant.
  if (!isKnown(name) || !isFullWidth && name.length === 1) return undefined;
  return { kind: slash === "" ? "open" : "close", name, length: whole.length };
}

/** Behind the `>` that ends a tag; a value holds no `<`, so that one ends the search. */
function tagEnd(text: string, from: number): number | undefined {
  let quote = "";
  for (let index = from; index < text.length; index++) {
    const character = text[index]!;
    if (character === "<") return undefined;
    if (quote !== "") {
      if (character === quote) quote = "";
    } else if (character === ">") return index + 1;
    else if (character === '"' || character === "'") quote = character;
  }
  return undefined;
}

/** Looks for ends and remembers where there are none, so that no stretch is searched twice. */
class EndFinder {
  readonly #text: string;
  readonly #missing = new Set<string>();

  constructor(text: string) {
    this.#text = text;
  }

  after(mark: string, from: number): number | undefined {
    if (this.#missing.has(mark)) return undefined;
    const index = this.#text.indexOf(mark, from);
    if (index >= 0) return index + mark.length;
    this.#missing.add(mark);
    return undefined;
  }

  /** A DOCTYPE may hold others in brackets. */
  afterDeclaration(from: number): number | undefined {
    const end = this.after(">", from);
    if (end === undefined) return undefined;
    const bracket = this.#text.slice(from, end).indexOf("[");
    return bracket < 0 ? end : this.after("]>", from + bracket) ?? end;
  }
}
