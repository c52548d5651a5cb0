import { SaxesParser, type SaxesTagPlain } from "saxes";
import { prologueLength } from "./_is_xml.ts";
import { positionAt } from "./_position.ts";
import type { PromptNode } from "./types.ts";
import { type PromptPosition, XmlPromptError } from "./xml_prompt_error.ts";

/** The longest XML prompt, in UTF-16 units: many times what the encoders read. */
const MAX_LENGTH = 1 << 16;

/** How deep elements may stand inside one another; prompts need two or three levels. */
const MAX_DEPTH = 64;

/** How to get a text through that cannot be mended. */
const OR_RAW = "To send the prompt exactly as typed, ask for raw.";

/** What saxes' fragments may not begin with, though XML may. */
const DECLARATION = /^\ufeff?(?:\s*<\?xml\s[\s\S]*?\?>)?/;

/**
 * Markup inside which `<` and `&` mean nothing; the beginning of such markup that never ends; or one
 * of the two characters where it should not stand.
 */
const STRAY_MARKUP = new RegExp(
  [
    /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>/u,
    /(?<unended><!--|<!\[CDATA\[|<\?)/u,
    /(?<entity>&(?!(?:lt|gt|amp|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);)(?:\w+;)?)/u,
    /(?<bracket><(?![/!?\p{L}_:]|$))/u,
  ].map(({ source }) => source).join("|"),
  "gu",
);

const ENDS: Readonly<Record<string, string>> = { "<!--": "-->", "<![CDATA[": "]]>", "<?": "?>" };

/** What saxes complains of, as it says it, and what to do about it. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/attribute without value/, 'an attribute has no value: write name="value"'],
  [/unquoted attribute value/, 'an attribute\'s value is not quoted: write name="value"'],
  [/duplicate attribute/, "an attribute is given twice: keep one"],
  [/no whitespace between attributes/, "attributes run together: put a space between them"],
  [/attribute name/, 'a tag holds more than a name and attributes: write <name other="value">'],
  [/tag name/, "a tag's name has a character that no name may have: use letters, digits, _ and -"],
  [/closing tag/, "a closing tag holds more than a name: write </name>"],
  [/forward-slash/, "a / in a tag is not followed by >: write <name/>"],
  [/\]\]>/, '"]]>" may not stand in text: write ]]&gt;'],
  [/character entity/, "the number after &# stands for no character that XML allows: remove it"],
  [/malformed comment/, 'a comment holds "--": remove it'],
  [/doctype/, "a DOCTYPE has no place in a prompt: remove it"],
  [/XML declaration/, "an XML declaration may stand at the very start alone: remove it"],
  [/disallowed character/, "a control character may not stand in XML: remove it"],
  [/unexpected end/, "the prompt ends in the middle of a tag: complete it"],
];

/** Without namespaces attributes are strings; the type parameter tells saxes' types so. */
interface PlainFragment {
  readonly fragment: true;
  readonly xmlns: false;
}

/** An element whose closing tag is still to come. */
interface OpenElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly content: (string | PromptNode)[];
  readonly start: PromptPosition;
}

/**
 * The elements of a well-formed XML text, of which several may stand at the top.
 *
 * saxes reads the markup. Stray markup and tags that close in the wrong order are found here,
 * because saxes reports them late, at another place, or loses the text around them.
 *
 * @throws {XmlPromptError} At the first fault.
 */
export function parseTree(text: string): PromptNode[] {
  if (text.length > MAX_LENGTH) {
    throw new XmlPromptError(
      `the prompt has ${text.length} characters, but ${MAX_LENGTH} is the bound for XML. Shorten it.`,
      positionAt(text, MAX_LENGTH),
    );
  }
  refuseStrayMarkup(text);
  return new TreeBuilder(text).build();
}

function refuseStrayMarkup(text: string): void {
  for (const { index, groups } of text.matchAll(STRAY_MARKUP)) {
    const unended = groups?.["unended"];
    if (unended !== undefined) {
      const end = ENDS[unended];
      throw new XmlPromptError(
        `${unended} begins what never ends. Add ${end}, or remove it. ${OR_RAW}`,
        positionAt(text, index),
      );
    }
    const entity = groups?.["entity"];
    if (entity !== undefined && entity.length > 1) {
      throw new XmlPromptError(
        `${entity} is unknown. Write the character itself; XML knows only &amp; &lt; &gt; &quot; ` +
          `&apos; and numbers such as &#9829;. ${OR_RAW}`,
        positionAt(text, index),
      );
    }
    if (entity !== undefined) {
      throw new XmlPromptError(
        `a bare & may not stand in XML. Write &amp; instead. ${OR_RAW}`,
        positionAt(text, index),
      );
    }
    if (groups?.["bracket"] !== undefined) {
      throw new XmlPromptError(
        `a bare < begins no tag. Write &lt; instead. ${OR_RAW}`,
        positionAt(text, index),
      );
    }
  }
}

class TreeBuilder {
  readonly #text: string;
  readonly #roots: PromptNode[] = [];
  readonly #open: OpenElement[] = [];
  readonly #parser = new SaxesParser<PlainFragment>({ fragment: true, xmlns: false });
  /** Where the last tag started: the next one is counted from there. */
  #lastTag: PromptPosition | undefined;
  /** Where the last element at the top ended. */
  #lastRootEnd = 0;

  constructor(text: string) {
    this.#text = text;
    this.#parser.on("error", ({ message }) => this.#refuse(message));
    this.#parser.on("opentag", (tag) => this.#openTag(tag));
    this.#parser.on("closetag", (tag) => this.#closeTag(tag));
    this.#parser.on("text", (characters) => this.#addText(characters));
    this.#parser.on("cdata", (characters) => this.#addText(characters));
  }

  build(): PromptNode[] {
    // Blanked rather than cut off, so that positions stay true.
    const body = this.#text.replace(DECLARATION, (match) => match.replace(/[^\r\n]/g, " "));
    this.#parser.write(body).close();
    return this.#roots;
  }

  /** Where the tag starts that saxes has just read: values hold no `<`. */
  #tagStart(): number {
    return this.#text.lastIndexOf("<", this.#parser.position - 1);
  }

  #fail(offset: number, message: string): never {
    throw new XmlPromptError(message, positionAt(this.#text, offset));
  }

  #openTag(tag: SaxesTagPlain): void {
    const start = positionAt(this.#text, this.#tagStart(), this.#lastTag);
    this.#lastTag = start;
    if (this.#open.length === MAX_DEPTH) {
      this.#fail(
        start.offset,
        `<${tag.name}> is nested ${MAX_DEPTH + 1} deep, but ${MAX_DEPTH} is the bound.`,
      );
    }
    const attributes = Object.fromEntries(Object.entries(tag.attributes));
    this.#open.push({ name: tag.name, attributes, content: [], start });
  }

  #closeTag(tag: SaxesTagPlain): void {
    if (!tag.isSelfClosing) this.#checkOrder();
    const { name, attributes, content, start: { line, column } } = this.#open.pop()!;
    const children = content.filter((item) => typeof item !== "string");
    const text = content.filter((item) => typeof item === "string").join("").trim();
    const siblings = this.#open.at(-1)?.content ?? this.#roots;
    siblings.push({ name, attributes, children, text, content, line, column });
    if (this.#open.length === 0) this.#lastRootEnd = this.#parser.position;
  }

  /** saxes closes inner elements by itself before it complains. */
  #checkOrder(): void {
    const offset = this.#tagStart();
    const written = /^<\/([^\s>]+)/.exec(this.#text.slice(offset, this.#parser.position))?.[1];
    const innermost = this.#open.at(-1)!;
    if (written === innermost.name) return;
    const { name, start: { line, column } } = innermost;
    const opened = `<${name}>, opened at line ${line}, column ${column}`;
    this.#fail(
      offset,
      this.#open.some((element) => element.name === written)
        ? `</${written}> closes an element inside which ${opened}, is still open. Put </${name}> ` +
          `before it.`
        : `</${written}> closes nothing here: expected </${name}> for ${opened}. Correct the name, ` +
          `or add the missing tag.`,
    );
  }

  #addText(characters: string): void {
    const element = this.#open.at(-1);
    if (element !== undefined) {
      // A comment or the border of a CDATA section does not part text.
      const { content } = element;
      const last = content.at(-1);
      if (typeof last === "string") content[content.length - 1] = last + characters;
      else content.push(characters);
    } else if (characters.trim() !== "") {
      const end = this.#lastRootEnd;
      this.#fail(
        end + prologueLength(this.#text.slice(end)),
        `text stands outside of every element. Put it into one, such as <general_tags>. ${OR_RAW}`,
      );
    }
  }

  #refuse(complaint: string): never {
    if (complaint.includes("unclosed tag")) {
      const { name, start } = this.#open.at(-1)!;
      this.#fail(start.offset, `<${name}> is never closed. Add </${name}> where it ends.`);
    }
    const unmatched = /unmatched closing tag: (.*)\.$/.exec(complaint)?.[1];
    if (unmatched !== undefined) {
      this.#fail(
        this.#tagStart(),
        `</${unmatched}> closes nothing. Remove it, or add <${unmatched}> before it.`,
      );
    }
    const advice = ADVICE.find(([pattern]) => pattern.test(complaint))?.[1] ?? complaint;
    this.#fail(Math.max(0, this.#parser.position - 1), `${advice}. ${OR_RAW}`);
  }
}
