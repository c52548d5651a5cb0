/**
 * The changes that do what a suggestion says. Where it leaves a choice, there are none.
 *
 * @module
 */
import type { Code, Details } from "./_texts.ts";
import type { PromptEdit } from "./types.ts";

/** What a finding is about. */
interface Place {
  /** The whole prompt. */
  readonly text: string;
  /** UTF-16 units from its start. */
  readonly start: number;
  readonly end: number;
}

type Fix = readonly PromptEdit[] | undefined;
type Fixes = { readonly [C in Code]?: (place: Place, ...details: Details<C>) => Fix };

const FIXES: Fixes = {
  "unclosed-tag": (place, name, isDoubled) =>
    isDoubled ? replaced(place, `</${name}>`) : inserted(endOfContent(place), `</${name}>`),
  "doubled-tag": (place, name) => replaced(place, `</${name}>`),
  "unclosed-inside": ({ start }, _outer, name) => inserted(start, `</${name}>`),
  "misnamed-tag": (place, written, expected, _line, _column, known) =>
    known === written ? undefined : replaced(place, `</${expected}>`),
  "misspelt-closing-tag": (place, written, expected, _line, _column, known) =>
    known === written ? undefined : replaced(place, `</${expected}>`),
  "stray-closing-tag": (place) => replaced(place, ""),
  "unfinished-tag": (place, tag) => shownIn(place) === tag ? replaced(place, `${tag}>`) : undefined,
  "closing-tag-content": (place, name) => replaced(place, `</${name}>`),
  "unknown-tag": (place, name, known) => renamed(place, name, known),
  "duplicate-character": (place, name, _line, free) => renamed(place, name, free),
  "full-width-tag": (place, tag) => replaced(place, tag),
  "empty-element": (place, name) => {
    const whole = shownIn(place);
    return whole.endsWith(`</${name}>`) || whole.endsWith("/>") ? replaced(place, "") : undefined;
  },
  "count-mismatch": (place, tag, _described, right) => {
    const at = shownIn(place).indexOf(tag);
    if (at < 0 || right === undefined) return undefined;
    return [{ offset: place.start + at, length: tag.length, text: right }];
  },
  "escaped-parenthesis": (place, tag) =>
    shownIn(place) === tag ? replaced(place, tag.replaceAll("\\", "")) : undefined,
  "weighted-tag": (place, tag) => {
    if (shownIn(place) !== tag) return undefined;
    const [, between] = /^-?[\d.]+::(.*)::$/s.exec(tag) ?? [];
    const plain = between ??
      tag.replace(/^[(（[{]+/, "").replace(/[)）\]}]+[-+\d.]*$/, "")
        .replace(/\s?[:：]\s?[-+\d.]+\s?$/, "");
    return replaced(place, plain);
  },
  "break-word": (place) => withoutComma(place),
  "embedding-name": (place) => withoutComma(place),
  "literal-entity": (place, _written, meant) =>
    meant === undefined ? undefined : replaced(place, meant),
  "invisible-character": (place, _code, _name, isSpace) => replaced(place, isSpace ? " " : ""),
  "control-character": (place) => replaced(place, ""),
};

/** The changes that mend a fault; undefined where a person has to choose. */
export function fixOf<C extends Code>(code: C, place: Place, details: Details<C>): Fix {
  const fix = FIXES[code] as ((place: Place, ...details: Details<C>) => Fix) | undefined;
  return fix?.(place, ...details);
}

function shownIn({ text, start, end }: Place): string {
  return text.slice(start, end);
}

function replaced({ start, end }: Place, text: string): Fix {
  return [{ offset: start, length: end - start, text }];
}

function inserted(offset: number, text: string): Fix {
  return [{ offset, length: 0, text }];
}

/** A word of a list goes together with the comma behind it. */
function withoutComma({ text, start, end }: Place): Fix {
  const after = /^[ \t]*[,，]?[ \t]*/.exec(text.slice(end))![0].length;
  return [{ offset: start, length: end - start + after, text: "" }];
}

/** Where an element that is not closed ends: before the next tag, or at the end where that opens. */
function endOfContent({ text, end }: Place): number {
  const next = /<\/?/.exec(text.slice(end));
  const isNext = next !== null && text.slice(end, end + next.index).trim() !== "";
  const content = isNext ? text.slice(0, end + next.index) : text;
  return Math.max(end, content.trimEnd().length);
}

/** Both tags of an element under another name. */
function renamed({ text, start }: Place, name: string, other: string): Fix {
  if (!text.startsWith(`<${name}`, start)) return undefined;
  const opening = { offset: start + 1, length: name.length, text: other };
  const tags = new RegExp(`<(/?)${RegExp.escape(name)}(?=[\\s/>])[^<>]*>`, "g");
  tags.lastIndex = start;
  let depth = 0;
  for (const { 0: tag, 1: slash, index } of matchesFrom(tags, text)) {
    if (tag.endsWith("/>")) {
      if (depth === 0) return [opening];
      continue;
    }
    depth += slash === "/" ? -1 : 1;
    if (depth === 0) return [opening, { offset: index + 2, length: name.length, text: other }];
  }
  return undefined;
}

function* matchesFrom(pattern: RegExp, text: string): Generator<RegExpExecArray> {
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) yield match;
}
