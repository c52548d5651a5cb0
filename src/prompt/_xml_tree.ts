/**
 * Elements from tokens. A fault does not end the reading, so that one pass finds them all.
 *
 * @module
 */
import { CLOSING, isWide } from "./_brackets.ts";
import type { Findings } from "./_findings.ts";
import { withoutFences } from "./_is_xml.ts";
import { isBlank, seen } from "./_invisible.ts";
import { isContainer, isKnown, knownSpelling, near, suggestionFor } from "./_known_elements.ts";
import { type AttributeToken, type Token, tokensOf } from "./_lexer.ts";
import { listItems } from "./_list.ts";
import { type Markup, markupOf } from "./_markup.ts";
import type { PromptNode } from "./types.ts";

/** How deep elements may stand inside one another; prompts need two or three levels. */
const MAX_DEPTH = 64;

const ATTRIBUTE_NAME = /^[\p{L}_:][\p{L}\p{N}\p{M}_.:-]*$/u;

/** Between elements: white space, as JSON or a program's source writes it. */
const ESCAPED_SPACE = /^\s*\\[nrt](?:\s|\\[nrt])*$/;
/** Text beside elements that says nothing: braces around them, Markdown's marks, quotation marks. */
const ONLY_MARKS = /^[\s{}*"“”`,，、;；#=~-]+$/;

const SELF_CLOSING = new RegExp(`[/／][${CLOSING}]$`);

const CLOSINGS: Readonly<Record<string, string>> = {
  comment: "-->",
  cdata: "]]>",
  instruction: "?>",
  declaration: ">",
};

/** An element that may still change. */
interface Draft {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly content: (string | Draft)[];
  readonly start: number;
  /** Behind the opening tag. */
  readonly openEnd: number;
  end: number;
}

/** A stretch of text that is content. */
export interface TextSpan {
  readonly start: number;
  readonly end: number;
}

/** What an XML text holds. */
export interface Tree {
  readonly roots: PromptNode[];
  readonly texts: readonly TextSpan[];
}

/**
 * The elements of an XML text, of which several may stand at the top. Text beside those is put into
 * `<other>` of `<general_tags>`, where the model expects what has no place of its own.
 */
export function parseTree(text: string, findings: Findings): Tree {
  const markups = [...markupOf(text)];
  for (const markup of markups) reportMarkup(text, markup, findings);
  const tokens = tokensOf(text, markups);
  const roots = new TreeBuilder(text, tokens, findings).build();
  const texts = tokens.filter(({ kind }) => kind === "text");
  return { roots: roots.map((root) => finished(root, findings)), texts };
}

function reportMarkup(text: string, markup: Markup, findings: Findings): void {
  const { kind, start, end, name, isUnended, isLoose } = markup;
  const isTag = kind === "open" || kind === "close";
  const tag = kind === "close" ? `</${name}` : `<${name}`;
  if (kind === "declaration") {
    const word = /^<![A-Za-z]+/.exec(text.slice(start, start + 10))![0];
    findings.add("entity-bound", start, start + word.length, word);
  } else if (isUnended && isTag) findings.add("unfinished-tag", start, end, tag);
  else if (isUnended) {
    findings.add("unended", start, end, text.slice(start, end), CLOSINGS[kind]!);
  } else if (isLoose) {
    const written = text.slice(start, end);
    if (!isWide(written)) return;
    const slash = kind === "open" && SELF_CLOSING.test(written) ? "/" : "";
    findings.add("full-width-tag", start, end, `${tag}${slash}>`);
  } else if (kind === "close" && !/^<\/[^\s/]+[ \t\r\n]*>$/.test(text.slice(start, end))) {
    findings.add("closing-tag-content", start, end, name);
  }
}

class TreeBuilder {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  readonly #findings: Findings;
  readonly #roots: Draft[] = [];
  readonly #open: Draft[] = [];
  /** Text at the top, and where it begins. */
  readonly #stray: { text: string; start: number; end: number }[] = [];
  /** By name: closing tags still to come, less the elements for which they are. */
  readonly #surplus = new Map<string, number>();
  /** By name: elements that another one's closing tag ended before their own. */
  readonly #crossed = new Map<string, number>();
  /** Names of tags that stand on one side alone, and were not meant for an element of the model. */
  readonly #unpaired: ReadonlySet<string>;

  constructor(text: string, tokens: readonly Token[], findings: Findings) {
    this.#text = text;
    this.#tokens = tokens;
    this.#findings = findings;
    for (const token of tokens) {
      if (token.kind === "close") add(this.#surplus, token.name, 1);
      else if (token.kind === "open" && !token.isSelfClosing) add(this.#surplus, token.name, -1);
    }
    this.#unpaired = unpairedNames(tokens);
  }

  build(): Draft[] {
    for (const token of this.#tokens) {
      if (token.kind === "text") this.#addText(token.text, token.start, token.end);
      else if (this.#isText(token)) this.#addTagAsText(token);
      else if (token.kind === "close") this.#close(token.name, token.start, token.end);
      else if (!this.#addElement(token)) return this.#roots;
    }
    this.#reportUnclosed();
    this.#placeStrayText();
    return this.#roots;
  }

  #siblings(): (string | Draft)[] {
    return this.#open.at(-1)?.content ?? this.#roots;
  }

  /** Inside of the model's elements and beside them, `<very>` and `<br>` are text, as upstream. */
  #isText({ kind, name }: Token & { kind: "open" | "close" }): boolean {
    if (!this.#unpaired.has(name)) return false;
    const parent = this.#open.at(-1)?.name;
    if (parent === undefined) return true;
    // Where the parent lacks a closing tag, this may be a misspelt one.
    return isKnown(parent) && (kind === "open" || this.#surplus.get(keyOf(parent))! >= 0);
  }

  #addTagAsText({ name, kind, start, end }: Token & { kind: "open" | "close" }): void {
    const tag = this.#text.slice(start, end);
    this.#findings.add("unpaired-tag", start, end, kind === "open" ? `<${name}>` : `</${name}>`);
    this.#addText(tag, start, end, { isTold: true });
  }

  /** @returns Whether the bound on depth was kept. */
  #addElement(token: Token & { kind: "open" }): boolean {
    const { name, start, end } = token;
    if (this.#open.length === MAX_DEPTH) {
      this.#findings.add("too-deep", start, end, name, MAX_DEPTH + 1, MAX_DEPTH);
      return false;
    }
    const attributes = this.#attributes(name, token.attributes);
    const element = { name, attributes, content: [], start, openEnd: end, end };
    this.#siblings().push(element);
    if (!token.isSelfClosing) this.#open.push(element);
    return true;
  }

  #attributes(tag: string, tokens: readonly AttributeToken[]): Record<string, string> {
    const values = new Map<string, string>();
    for (const { name, value, isQuoted, start, end } of tokens) {
      const plain = isQuoted ? value ?? "" : (value ?? "").replace(/^[“”‘’]|[“”‘’]$/g, "");
      if (!ATTRIBUTE_NAME.test(name)) this.#findings.add("attribute-name", start, end, name, tag);
      else if (values.has(name)) this.#findings.add("duplicate-attribute", start, end, name);
      else {
        values.set(name, plain);
        if (value === undefined) this.#findings.add("attribute-value", start, end, name);
        else if (!isQuoted) this.#findings.add("attribute-quotes", start, end, name, plain);
      }
    }
    // Defines each name as the object's own, so that even __proto__ is only a name.
    return Object.fromEntries(values);
  }

  #addText(text: string, start: number, end: number, { isTold = false } = {}): void {
    const element = this.#open.at(-1);
    const isBetween = element === undefined || isContainer(element.name);
    // What is not seen is told of elsewhere.
    if (isBetween && (ESCAPED_SPACE.test(text) || text.trim() !== "" && isBlank(text))) return;
    if (element === undefined) {
      this.#addStrayText(text, start, end, isTold);
      return;
    }
    // A comment or the border of a CDATA section does not part text.
    const { content } = element;
    const last = content.at(-1);
    if (typeof last === "string") content[content.length - 1] = last + text;
    else content.push(text);
  }

  #addStrayText(text: string, start: number, end: number, isTold: boolean): void {
    const content = withoutFences(text);
    if (listItems(content).length === 0 || ONLY_MARKS.test(content)) return;
    const raw = withoutFences(this.#text.slice(start, end));
    const [from, to] = seen(raw).map((place) => start + place) as [number, number];
    const [contentStart, contentEnd] = seen(content);
    if (!isTold) this.#findings.add("stray-text", from, to);
    this.#stray.push({ text: content.slice(contentStart, contentEnd), start: from, end: to });
  }

  #close(name: string, start: number, end: number): void {
    const depth = this.#open.findLastIndex((element) => keyOf(element.name) === keyOf(name));
    if (depth >= 0) {
      this.#reportCut(this.#open.slice(depth), start, end);
      this.#open[depth]!.end = end;
      this.#open.length = depth;
      return;
    }
    add(this.#surplus, name, -1);
    if ((this.#crossed.get(keyOf(name)) ?? 0) > 0) {
      // Already told of where the tags crossed.
      add(this.#crossed, name, -1);
      return;
    }
    const innermost = this.#open.at(-1);
    if (innermost === undefined) {
      this.#findings.add("stray-closing-tag", start, end, name);
      return;
    }
    const { line, column } = this.#findings.at(innermost.start);
    const known = isKnown(name) && !isKnown(innermost.name) ? name : undefined;
    const isMisspelt = near(name, innermost.name) || near(innermost.name, name);
    const isSure = isMisspelt && (isKnown(name) || isKnown(innermost.name));
    const code = isSure ? "misspelt-closing-tag" : "misnamed-tag";
    this.#findings.add(code, start, end, name, innermost.name, line, column, known);
    if (!isMisspelt && this.#surplus.get(keyOf(innermost.name))! >= 0) return;
    innermost.end = end;
    add(this.#surplus, innermost.name, 1);
    this.#open.pop();
  }

  /** The elements inside the first are still open at its closing tag. */
  #reportCut([outer, ...cut]: readonly Draft[], start: number, end: number): void {
    cut.forEach(({ name, start: opened, openEnd }, index) => {
      const isCrossed = this.#surplus.get(keyOf(name))! >= 0;
      if (isCrossed) add(this.#crossed, name, 1);
      else add(this.#surplus, name, 1);
      // Of <n>…<n>, whose second was to close the first, only the second counts.
      if (cut[index + 1]?.name === name) return;
      if ((cut[index - 1] ?? outer!).name === name) {
        this.#findings.add("doubled-tag", opened, openEnd, name);
        return;
      }
      const { line, column } = this.#findings.at(opened);
      const code = isCrossed ? "crossed-tags" : "unclosed-inside";
      this.#findings.add(code, start, end, outer!.name, name, line, column);
    });
  }

  #reportUnclosed(): void {
    this.#open.forEach(({ name, start, openEnd }, index) => {
      if (this.#open[index + 1]?.name === name) return;
      const isDoubled = this.#open[index - 1]?.name === name;
      this.#findings.add("unclosed-tag", start, openEnd, name, isDoubled);
    });
  }

  #placeStrayText(): void {
    if (this.#stray.length === 0) return;
    const { start, end } = this.#stray[0]!;
    const draft = (name: string): Draft => ({
      name,
      attributes: {},
      content: [],
      start,
      openEnd: start,
      end,
    });
    let general = find(this.#roots, "general_tags");
    if (general === undefined) this.#roots.push(general = draft("general_tags"));
    let other = find(general.content, "other");
    if (other === undefined) general.content.push(other = draft("other"));
    for (const { text } of this.#stray) other.content.push(", ", text);
  }
}

/** What tags must share to be a pair: `<N>` is closed by `</n>`, `<general-tags>` by `</general_tags>`. */
function keyOf(name: string): string {
  return knownSpelling(name) ?? name;
}

/** Names of tags that are never closed, or close nothing, in a text that has elements of the model. */
function unpairedNames(tokens: readonly Token[]): ReadonlySet<string> {
  const opened = new Set<string>();
  const closed = new Set<string>();
  let hasKnown = false;
  for (const token of tokens) {
    if (token.kind === "text") continue;
    hasKnown ||= isKnown(token.name);
    if (token.kind === "open") opened.add(token.name);
    if (token.kind === "close" || token.isSelfClosing) closed.add(token.name);
  }
  const unpaired = hasKnown ? opened.symmetricDifference(closed) : new Set<string>();
  return new Set(
    [...unpaired].filter((name) => suggestionFor(name) === undefined && !isKnown(name)),
  );
}

function add(counts: Map<string, number>, name: string, by: number): void {
  const key = keyOf(name);
  counts.set(key, (counts.get(key) ?? 0) + by);
}

/** The first element of a name, searched in the order of the text. */
function find(content: readonly (string | Draft)[], name: string): Draft | undefined {
  for (const item of content) {
    if (typeof item === "string") continue;
    const found = item.name === name ? item : find(item.content, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function finished(draft: Draft, findings: Findings): PromptNode {
  const { name, attributes, start, end } = draft;
  const content: (string | PromptNode)[] = [];
  for (const item of draft.content) {
    const last = content.at(-1);
    if (typeof item !== "string") content.push(finished(item, findings));
    else if (typeof last === "string") content[content.length - 1] = last + item;
    else content.push(item);
  }
  const children = content.filter((item) => typeof item !== "string");
  const text = content.filter((item) => typeof item === "string").join("").trim();
  const position = findings.at(start);
  return { name, attributes, children, text, content, ...position, length: end - start };
}
