/**
 * What text is split at: strings, regular expressions and characters, and what becomes of the parts.
 *
 * Rust's `tokenizers` hand expressions to Oniguruma; `oniguruma-to-es` says the same in JavaScript's
 * words, or refuses. Whose expression may take more than quadratic time is refused as well: it is
 * from a file, and no one could stop it.
 *
 * Rules: `NormalizedString::split` in tokenizers/src/tokenizer/normalizer.rs, and pattern.rs beside
 * it, of huggingface/tokenizers.
 *
 * @module
 */
import { parse } from "oniguruma-parser/parser";
import { toRegExp } from "oniguruma-to-es";
import { Refusal } from "./_refusal.ts";

/** A stretch of a text: whether it is what was looked for, or what is between. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly isMatch: boolean;
}

/** Divides a text into stretches that cover it. */
export type Pattern = (text: string) => readonly Stretch[];

/** What becomes of the stretches that match. */
export type Behavior =
  | "Removed"
  | "Isolated"
  | "MergedWithPrevious"
  | "MergedWithNext"
  | "Contiguous";

const BEHAVIORS: readonly Behavior[] = [
  "Removed",
  "Isolated",
  "MergedWithPrevious",
  "MergedWithNext",
  "Contiguous",
];

/** @throws {Refusal} When there is no such behaviour. */
export function behaviorOf(value: unknown): Behavior {
  const found = BEHAVIORS.find((behavior) => behavior === value);
  if (found !== undefined) return found;
  throw new Refusal(
    `the behavior ${JSON.stringify(value)} is not known`,
    `behavior ${JSON.stringify(value)} 未知`,
  );
}

/** Every match of an expression with the flag `g`. */
export function matchesOf(expression: RegExp): Pattern {
  return (text) => {
    const stretches: Stretch[] = [];
    let end = 0;
    let last = -1;
    for (const { 0: match, index } of text.matchAll(expression)) {
      // Oniguruma's iterator passes over an empty match right behind another one.
      if (match === "" && index === last) continue;
      last = index + match.length;
      if (index > end) stretches.push({ start: end, end: index, isMatch: false });
      end = index + match.length;
      stretches.push({ start: index, end, isMatch: true });
    }
    if (end < text.length) stretches.push({ start: end, end: text.length, isMatch: false });
    return stretches;
  };
}

/** Each character of a class for itself, and what is between. */
export const charactersOf = (characters: string): Pattern =>
  matchesOf(new RegExp(`[${characters}]`, "gu"));

/** What matches and what does not, exchanged. */
export const inverted = (pattern: Pattern): Pattern => (text) =>
  pattern(text).map((stretch) => ({ ...stretch, isMatch: !stretch.isMatch }));

/**
 * The pattern of a tokenizer.json: `{ "String": … }` or `{ "Regex": … }`.
 *
 * @throws {Refusal} When it is none, or an expression that cannot be run.
 */
export function patternOf(value: unknown): Pattern {
  const { String: text, Regex: regex } = (value ?? {}) as Record<string, unknown>;
  if (typeof text === "string") {
    return matchesOf(new RegExp(RegExp.escape(text), "gu"));
  }
  if (typeof regex === "string") return matchesOf(expressionOf(regex));
  throw new Refusal(
    `the pattern ${JSON.stringify(value)} is not known`,
    `模式 ${JSON.stringify(value)} 未知`,
  );
}

function expressionOf(source: string): RegExp {
  const refuse = (en: string, zh: string, cause?: unknown) =>
    new Refusal(
      `the expression ${JSON.stringify(source)} ${en}`,
      `正则表达式 ${JSON.stringify(source)} ${zh}`,
      { cause },
    );
  try {
    const plain = withoutCaseGroups(source);
    const tree = parse(plain);
    if (JSON.stringify(tree).includes('"ignoreCase":true')) {
      throw refuse("leaves the case of letters open", "不区分字母大小写");
    }
    if (!isTame(tree)) {
      throw refuse("may take too long on some texts", "对某些文本可能耗时过长");
    }
    const { source: exact, flags } = toRegExp(plain, { global: true });
    const ours = exact.replaceAll(`[${THEIR_WORD}]`, `[${OUR_WORD}${LATIN_1}]`)
      .replaceAll(`[^${THEIR_WORD}]`, `[^${OUR_WORD}${LATIN_1}]`)
      .replaceAll(THEIR_WORD, OUR_WORD);
    return new RegExp(ours, flags);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const { message } = error as Error;
    throw refuse(`cannot be run exactly: ${message}`, `无法准确运行：${message}`, error);
  }
}

/** `(?i:…)` around letters, apostrophes and classes of letters, as GPT-4's expression has it. */
const CASE_GROUP = /\(\?i:((?:[A-Za-z' |]|\[[A-Za-z]{1,52}\]){0,200})\)/g;
/** Pairs of letters for which there is one character, so that more than letters would change. */
const LIGATURES = /ss|st|ff|fi|fl/i;
/** Letters with a third form. */
const THIRD_FORMS: Readonly<Record<string, string>> = { s: "\u017f", k: "\u212a" };

/**
 * An expression in which groups that leave the case open name both cases: with such a group V8 folds
 * the case of the whole expression, and takes U+0345 for a letter.
 */
function withoutCaseGroups(source: string): string {
  return source.replace(CASE_GROUP, (group, inner: string) => {
    if (LIGATURES.test(inner)) return group;
    const both = (letter: string) => {
      const lower = letter.toLowerCase();
      return lower + lower.toUpperCase() + (THIRD_FORMS[lower] ?? "");
    };
    const open = inner.replace(/\[[A-Za-z]+\]|[A-Za-z]/g, (part) => {
      const letters = part.startsWith("[") ? part.slice(1, -1) : part;
      return `[${Array.from(letters, both).join("")}]`;
    });
    return `(?:${open})`;
  });
}

/** What `oniguruma-to-es` takes for `\\w`, and what Oniguruma 6.9 does. */
const THEIR_WORD = "\\p{L}\\p{M}\\p{N}\\p{Pc}";
const OUR_WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
/** Numbers that are letters to Oniguruma, but not inside of brackets. */
const LATIN_1 = "\\xb2\\xb3\\xb9\\xbc-\\xbe";

/** A node of the parser's tree, as far as it matters here. */
interface Node {
  readonly type: string;
  readonly body?: Node | readonly Node[];
  readonly min?: number;
  readonly max?: number | null;
  readonly kind?: string;
}

const SINGLE: ReadonlySet<string> = new Set(["Character", "CharacterClass", "CharacterSet"]);
const GROUPS: ReadonlySet<string> = new Set(["Group", "CapturingGroup", "LookaroundAssertion"]);
/** Repetitions up to so many cost no more than a long text. */
const FEW = 64;
/** How deep groups may stand in each other. */
const MOST_NESTED = 16;

const childrenOf = ({ body }: Node): readonly Node[] =>
  body === undefined ? [] : Array.isArray(body) ? body : [body as Node];

/**
 * Whether an expression takes at most linear time from each place of a text: in each alternative at
 * most two endless repetitions of single characters, and nothing behind the last that has to match.
 */
function isTame(regex: unknown): boolean {
  const pattern = (regex as { readonly body: readonly Node[] }).body;
  return pattern.every((alternative) => endless(alternative, 0) <= 2);
}

/** How many endless repetitions follow each other in a node; more than two where it is not tame. */
function endless(node: Node, depth: number): number {
  const { type, min = 1, max = 1 } = node;
  if (depth > MOST_NESTED) return Infinity;
  if (SINGLE.has(type) || type === "Assertion") return 0;
  if (type === "Alternative") {
    let count = 0;
    for (const item of childrenOf(node)) {
      const own = endless(item, depth + 1);
      // What has to match behind an endless repetition makes it be tried at every length.
      if (count > 0 && own === 0 && !mayBeEmpty(item)) return Infinity;
      count += own;
    }
    return count;
  }
  if (GROUPS.has(type)) {
    return childrenOf(node).reduce((most, child) => Math.max(most, endless(child, depth + 1)), 0);
  }
  if (type !== "Quantifier") return Infinity;
  const [body] = childrenOf(node);
  if (body === undefined) return Infinity;
  if (SINGLE.has(body.type)) return max === null || max > FEW ? 1 : 0;
  const inner = endless(body, depth + 1);
  if (max === 1) return inner;
  // A group may be repeated where it has one length and one way to be read.
  const isFixed = inner === 0 && lengthOf(body) !== undefined;
  return isFixed ? max === null || max * min > FEW ? 1 : 0 : Infinity;
}

/** Whether nothing at all may stand there, or it only looks at what stands there. */
function mayBeEmpty(node: Node): boolean {
  const { type, min = 1 } = node;
  return type === "Quantifier" ? min === 0 : type === "LookaroundAssertion" || type === "Assertion";
}

/** How many characters a node always takes; undefined where it may take more or less. */
function lengthOf(node: Node): number | undefined {
  const { type, min = 1, max = 1 } = node;
  if (SINGLE.has(type)) return 1;
  const children = childrenOf(node);
  if (type === "Quantifier") {
    const body = children[0] === undefined ? undefined : lengthOf(children[0]);
    return min === max && body !== undefined ? body * min : undefined;
  }
  if (type === "Group" || type === "CapturingGroup") {
    return children.length === 1 ? lengthOf(children[0]!) : undefined;
  }
  if (type !== "Alternative") return undefined;
  let length = 0;
  for (const child of children) {
    const own = lengthOf(child);
    if (own === undefined) return undefined;
    length += own;
  }
  return length;
}

/** The parts that are left of a text, as places in it. */
export function split(
  text: string,
  pattern: Pattern,
  behavior: Behavior,
): readonly (readonly [start: number, end: number])[] {
  const stretches = pattern(text);
  const merged = MERGERS[behavior](stretches);
  return merged.filter(([start, end]) => end > start);
}

type Part = [start: number, end: number];

const MERGERS: Readonly<Record<Behavior, (stretches: readonly Stretch[]) => Part[]>> = {
  Removed: (stretches) =>
    stretches.filter(({ isMatch }) => !isMatch).map(({ start, end }) => [start, end]),
  Isolated: (stretches) => stretches.map(({ start, end }) => [start, end]),
  Contiguous: (stretches) => {
    const parts: Part[] = [];
    let previous = false;
    for (const { start, end, isMatch } of stretches) {
      const last = parts.at(-1);
      if (isMatch === previous && last !== undefined) last[1] = end;
      else parts.push([start, end]);
      previous = isMatch;
    }
    return parts;
  },
  MergedWithPrevious: (stretches) => {
    const parts: Part[] = [];
    let previous = false;
    for (const { start, end, isMatch } of stretches) {
      const last = parts.at(-1);
      if (isMatch && !previous && last !== undefined) last[1] = end;
      else parts.push([start, end]);
      previous = isMatch;
    }
    return parts;
  },
  MergedWithNext: (stretches) => {
    const parts: Part[] = [];
    let previous = false;
    for (const { start, end, isMatch } of stretches.toReversed()) {
      const last = parts.at(-1);
      if (isMatch && !previous && last !== undefined) last[0] = start;
      else parts.push([start, end]);
      previous = isMatch;
    }
    return parts.reverse();
  },
};
