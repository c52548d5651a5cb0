/**
 * XML's tokens, with their places.
 *
 * htmlparser2's tokenizer reads them, in XML mode. saxes 6.0.0, which this once used, throws away
 * what it takes for broken markup: of `<a>love & peace</a>` it leaves ` peace`, `>_<` makes it stop,
 * and it reports places only after the fact, so a patch would have to change how it reads text, tags
 * and entities, all three. htmlparser2 gives the two offsets of everything it reads and throws
 * nothing away; what is a tag is decided before it, by blanking every other `<` in its copy of the
 * text, and the characters are taken from the original. So it needs no patch.
 *
 * @module
 */
import { QuoteType, Tokenizer } from "htmlparser2";
import { resolveEntities } from "./_entities.ts";
import { type Markup, markupOf } from "./_markup.ts";

/** One attribute as written. */
export interface AttributeToken {
  readonly name: string;
  /** Entities resolved; absent where there is no `=`. */
  readonly value: string | undefined;
  readonly isQuoted: boolean;
  readonly start: number;
  readonly end: number;
}

/** One token of a prompt. */
export type Token =
  & { readonly start: number; readonly end: number }
  & (
    | {
      readonly kind: "open";
      readonly name: string;
      readonly attributes: readonly AttributeToken[];
      readonly isSelfClosing: boolean;
    }
    | { readonly kind: "close"; readonly name: string }
    | { readonly kind: "text"; readonly text: string }
  );

const blank = (text: string): string => text.replace(/[^\r\n]/g, " ");

/** What the tokenizer sees: as long as the text, and every `<` begins what it reads as markup. */
function masked(text: string, markups: readonly Markup[]): string {
  const parts: string[] = [];
  const addText = (from: number, to: number) => {
    parts.push(text.slice(from, to).replaceAll("<", " "));
  };
  let end = 0;
  for (const { kind, start, end: next, name, isUnended, isLoose } of markups) {
    addText(end, start);
    end = next;
    const whole = text.slice(start, end);
    if (isUnended) parts.push(blank(whole));
    else if (kind === "comment") parts.push(`<!--${blank(whole.slice(4, -3))}-->`);
    else if (kind === "instruction") parts.push(`<?${blank(whole.slice(2, -2))}?>`);
    else if (kind === "declaration") parts.push(`<!${blank(whole.slice(2, -1))}>`);
    else if (isLoose) parts.push(strictTag(whole, kind === "close" ? `/${name}` : name));
    else parts.push(whole);
  }
  addText(end, text.length);
  return parts.join("");
}

/** A tag as XML has it, as long as it was written. */
function strictTag(written: string, name: string): string {
  const end = /[/／].$/.test(written) ? "/>" : ">";
  return `<${name}`.padEnd(written.length - end.length) + end;
}

/** The tokens of an XML text. Tags whose end is missing are tokens like others. */
export function tokensOf(text: string, markups: readonly Markup[] = [...markupOf(text)]): Token[] {
  const tokens: Token[] = markups.flatMap((markup): Token[] => {
    const { kind, start, end, name, isUnended } = markup;
    if (!isUnended) return [];
    if (kind === "close") return [{ kind, name, start, end }];
    if (kind === "open") {
      return [{ kind, name, attributes: [], isSelfClosing: false, start, end }];
    }
    return [];
  });
  // The tokenizer meets the same tags in the same order.
  const tags = markups.filter(({ kind, isUnended }) =>
    !isUnended && (kind === "open" || kind === "close")
  ).values();
  let attributes: AttributeToken[] = [];
  let attributeName = "";
  let attributeStart = 0;
  let value: string | undefined;
  const addOpen = (isSelfClosing: boolean) => {
    const { name, start, end } = tags.next().value!;
    tokens.push({ kind: "open", name, attributes, isSelfClosing, start, end });
    attributes = [];
  };
  // XML reads line ends as LF, and any white space in a value as a space.
  const resolve = (raw: string) => resolveEntities(raw.replace(/\r\n?/g, "\n"));
  const tokenizer = new Tokenizer({ xmlMode: true, decodeEntities: false }, {
    onopentagname() {},
    onattribname(from, to) {
      [attributeName, attributeStart, value] = [text.slice(from, to), from, undefined];
    },
    onattribdata(from, to) {
      value = resolveEntities(text.slice(from, to).replace(/\r\n|[\r\n\t]/g, " "));
    },
    onattribend(quote, end) {
      const isQuoted = quote === QuoteType.Double || quote === QuoteType.Single;
      const given = quote === QuoteType.NoValue ? undefined : value ?? "";
      attributes.push({
        name: attributeName,
        value: given,
        isQuoted,
        start: attributeStart,
        end: Math.max(end, attributeStart + attributeName.length),
      });
    },
    onopentagend: () => addOpen(false),
    onselfclosingtag: () => addOpen(true),
    onclosetag() {
      const { name, start, end } = tags.next().value!;
      tokens.push({ kind: "close", name, start, end });
    },
    ontext(from, to) {
      tokens.push({ kind: "text", text: resolve(text.slice(from, to)), start: from, end: to });
    },
    oncdata(from, to) {
      // `to` is where the `>` of "]]>" stands.
      const inside = text.slice(from, to - 2).replace(/\r\n?/g, "\n");
      tokens.push({ kind: "text", text: inside, start: from, end: to - 2 });
    },
    oncomment() {},
    ondeclaration() {},
    onprocessinginstruction() {},
    onattribentity() {},
    ontextentity() {},
    onend() {},
  });
  tokenizer.write(masked(text, markups));
  tokenizer.end();
  return tokens.sort((a, b) => a.start - b.start);
}
