/**
 * Throws prompts at the prompt engine: built ones, whose text is known, damaged ones, and random
 * pieces. Each must end in canonical text or in an `XmlPromptError`, within a second. What is
 * accepted must be its own canonical form and lose no word; what is refused must be refused at a
 * place inside it. `deno task fuzz` runs it, and measures that time grows with length alone.
 *
 * @module
 */
import {
  canonicalPrompt,
  checkPrompt,
  parsePrompt,
  parseXmlPrompt,
  promptKind,
  renderDiagnostics,
  unwrapPrompt,
  XmlPromptError,
} from "../../../src/prompt/mod.ts";
import { Dice } from "./dice.ts";

const SLOWEST_MS = 1000;
const MOST_VIOLATIONS_TOLD = 10;
const MOST_MUTATIONS = 4;

/** Text that is no markup, though much of it looks like some. */
const TEXTS: readonly string[] = [
  "blue_hair",
  "long twintails",
  "love & peace",
  ">_<",
  "<o>_<o>",
  "<|>_<|>",
  ":<",
  ">:<",
  "<3",
  "^_^",
  "\\m/",
  "AT&T;",
  "&nbsp;",
  "<lora:style:0.8>",
  "saber_(fate)",
  "(blue_hair:1.2)",
  "((smile))",
  "[tag]",
  "初音ミク",
  "蓝发",
  "😀",
  "a < b > c",
  "]]>",
  "-->",
  "$character_1$",
  "2girls",
  "&&",
  "<<<",
  "<1girl>",
  "<-",
  "＜o＞",
];

/** Text that must be escaped or put into CDATA to be text. */
const WILD_TEXTS: readonly string[] = [
  "<n>",
  "</n>",
  "<b c='d'>",
  "&lt;",
  "&amp;amp;",
  "&#65;",
  "<!-- x -->",
  "<![CDATA[",
  "<?xml?>",
  "<!DOCTYPE x>",
  "＜n＞",
  "<x <y> <z>",
  "<n",
  '<x a="',
];

const NAMES: readonly string[] = [
  "n",
  "gender",
  "appearance",
  "other",
  "count",
  "style",
  "caption",
  "a",
  "apearance",
  "角色",
  "__proto__",
];
const ROOTS: readonly string[] = ["character_1", "character_2", "general_tags", "img", "caption"];

/** What mutations put in. */
const FRAGMENTS: readonly string[] = [
  ..."<>&;/!?-[]= \n\"'ax1,，＜＞／`:()",
  "</",
  "<n>",
  "</n>",
  "</character_1>",
  "<general_tags>",
  "<!--",
  "-->",
  "<![CDATA[",
  "]]>",
  "<?",
  "?>",
  "<!DOCTYPE",
  "&amp;",
  "&#",
  "\r\n",
  "\ufeff",
  "\ud800",
  "\0",
  "```xml\n",
  "```",
  "<general tags>",
  "</general tags>",
  "</General_Tags>",
  "< character_1 >",
  "<very>",
  "</very>",
  "<a b=c d>",
  "<Prompt Start>",
  "You are an assistant. <Prompt Start>",
  '{"tags": "',
  '", "caption": "',
  '"}',
  '[{"character_1": {"n": "',
  "&lt;n&gt;",
  "&lt;/n&gt;",
  "{",
  "}",
  "\\n",
];

/** A prompt without errors, and what it says. */
interface Built {
  readonly text: string;
  readonly said: readonly string[];
}

function build(dice: Dice): Built {
  const said: string[] = [];
  const space = () => dice.pick(["", "", "\n", "  ", "\r\n\t"]);
  const word = (): string => {
    if (dice.roll(5) > 0) {
      const text = dice.pick(TEXTS);
      said.push(text);
      return text;
    }
    const text = dice.pick(WILD_TEXTS);
    said.push(text);
    return dice.roll(2) === 0
      ? `<![CDATA[${text}]]>`
      : text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("＜", "&#xff1c;");
  };
  const words = () => {
    const count = dice.roll(4);
    // A face must not meet a word before it, nor markup a `<` behind it.
    return Array.from({ length: count }, () => `${space()}${word()} `)
      .join(dice.pick([",", ", ", "，"]));
  };
  const element = (name: string, depth: number): string => {
    const attribute = dice.roll(8) === 0 ? ` w="${dice.pick(["1.2", "x&lt;y", "a>b"])}"` : "";
    if (dice.roll(12) === 0) return `<${name}${attribute}/>`;
    const inside = depth === 0 || dice.roll(3) === 0
      ? words()
      : Array.from({ length: dice.roll(4) }, () =>
        space() + (dice.roll(6) === 0 ? words() : "") + element(dice.pick(NAMES), depth - 1))
        .join(dice.roll(6) === 0 ? "<!-- a <b> & -->" : "");
    return `<${name}${attribute}>${inside}${space()}</${name}>`;
  };
  const parts = Array.from(
    { length: 1 + dice.roll(3) },
    () => element(dice.pick(ROOTS), 2) + space() + (dice.roll(8) === 0 ? words() : ""),
  );
  const text = parts.join("");
  const fenced = dice.roll(8) === 0 ? "```xml\n" + text + "\n```\n" : text;
  return { text: dice.pick(["", "", "\ufeff", "\n ", '<?xml version="1.0"?>\n']) + fenced, said };
}

function mutate(text: string, dice: Dice): string {
  const at = dice.roll(text.length + 1);
  const behind = Math.min(text.length, at + 1 + dice.roll(12));
  switch (dice.roll(4)) {
    case 0:
      return text.slice(0, at) + text.slice(behind);
    case 1:
      return text.slice(0, at) + dice.pick(FRAGMENTS) + text.slice(at);
    case 2:
      return text.slice(0, behind) + text.slice(at);
    default:
      return dice.roll(4) === 0 ? text.slice(0, at) : text.slice(0, at) + dice.pick(TEXTS) +
        text.slice(behind);
  }
}

function random(dice: Dice): string {
  return Array.from(
    { length: dice.roll(30) },
    () => dice.pick(dice.roll(3) === 0 ? TEXTS : FRAGMENTS),
  ).join("");
}

const squeeze = (text: string) => text.trim().replace(/\s+/g, " ");

/** Undoes what canonical text escapes. */
const unescape = (text: string) =>
  text.replaceAll("&#xFF1C;", "＜").replaceAll("&lt;", "<").replaceAll("&amp;", "&");

/**
 * Words that are surely content: what is left when everything is removed that looks like markup,
 * an entity or a fence, and more.
 */
function sureWords(text: string): string[] {
  return text.replace(/<!--[^]*?-->|<\?[^]*?\?>|<!\[CDATA\[|<[^<>]*>|[<＜][^<>＜＞]*[>＞]/g, " ")
    .replace(/&[^\s;&]*;?|`+\s*\w*|~+\s*\w*|\\[nrt]/g, " ")
    .match(/(?<![<＜/／\p{L}\p{N}_])[\p{L}\p{N}_]+/gu) ?? [];
}

/** Warnings of what is left out. */
const UNREAD: ReadonlySet<string> = new Set(["attribute-name", "duplicate-attribute"]);

/** What is wrong with what became of a prompt. */
function judge(text: string, said: readonly string[] | undefined): string | undefined {
  const { canonical, diagnostics, prompt } = checkPrompt(text);
  renderDiagnostics(text, diagnostics);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  for (const { code, offset, length, line, column } of diagnostics) {
    const isInside = offset >= 0 && length >= 0 && offset + length <= text.length && line > 0 &&
      column > 0;
    if (!isInside) return `${code} lies outside of the text`;
  }
  try {
    parsePrompt(text);
    if (errors.length > 0) return `accepted with the error ${errors[0]!.code}`;
  } catch (error) {
    if (!(error instanceof XmlPromptError)) throw error;
    if (errors.length !== error.diagnostics.length || canonical !== undefined) {
      return "refused, but checked to be right";
    }
    return said === undefined ? undefined : `refused what is right: ${error.message}`;
  }
  if (prompt.kind !== promptKind(text)) return "is of two kinds";
  if (canonical === undefined || canonical !== canonicalPrompt(text)) {
    return "has two canonical texts";
  }
  if (canonicalPrompt(canonical) !== canonical) return "canonical text is not its own";
  const { systemPrompt, unused } = unwrapPrompt(text);
  if (prompt.kind === "text") {
    const isWhole = canonical === text || systemPrompt !== undefined || unused !== undefined;
    return isWhole ? undefined : "plain text was changed";
  }
  const [object, again] = [text, canonical].map((xml) => JSON.stringify(parseXmlPrompt(xml)));
  if (object !== again) return "canonical text says something else";
  // Keys of JSON are no content; of attributes that are not read a warning tells.
  const isUnread = diagnostics.some(({ code }) => UNREAD.has(code));
  if (unused !== undefined || isUnread) return undefined;
  const plain = squeeze(unescape(`${systemPrompt ?? ""}${canonical}`));
  const lost = said?.find((word) => !plain.includes(squeeze(word))) ??
    sureWords(text).find((word) => !plain.includes(word));
  return lost === undefined ? undefined : `lost ${JSON.stringify(lost)}`;
}

/** Runs `count` cases; the seed decides which. */
export function fuzzPrompts(count: number, seed: number) {
  const dice = new Dice(seed);
  const outcomes = { xml: 0, text: 0, refused: 0 };
  const violations: string[] = [];
  let slowestMs = 0;
  const started = performance.now();
  for (let i = 0; i < count; i++) {
    const kind = dice.pick(["built", "damaged", "damaged", "random"]);
    const built = build(dice);
    let text = kind === "random" ? random(dice) : built.text;
    const mutations = kind === "damaged" ? 1 + dice.roll(MOST_MUTATIONS) : 0;
    for (let done = 0; done < mutations; done++) text = mutate(text, dice);
    const begun = performance.now();
    let fault: string | undefined;
    try {
      fault = judge(text, kind === "built" ? built.said : undefined);
      outcomes[checkPrompt(text).canonical === undefined ? "refused" : promptKind(text)]++;
    } catch (error) {
      fault = String(error);
    }
    const took = performance.now() - begun;
    slowestMs = Math.max(slowestMs, took);
    if (took > SLOWEST_MS) fault ??= `took ${took.toFixed(0)} ms`;
    if (fault !== undefined) {
      violations.push(`prompt ${i} (${kind}): ${fault}: ${JSON.stringify(text)}`);
    }
  }
  return {
    count,
    seed,
    seconds: Number(((performance.now() - started) / 1000).toFixed(2)),
    slowestMs: Number(slowestMs.toFixed(2)),
    outcomes,
    violationCount: violations.length,
    violations: violations.slice(0, MOST_VIOLATIONS_TOLD),
  };
}

/** Texts that grow with a number and that careless parsers take long over. */
export const HOSTILE_PROMPTS: Readonly<Record<string, (length: number) => string>> = Object
  .fromEntries(
    [
      "<",
      "&",
      "<a>",
      "</a>",
      "<a/>",
      "<!--",
      "<![CDATA[",
      "<?x ",
      "<!DOCTYPE [",
      "&lt;",
      "(",
      "(a, ",
      "((aa:1",
      "[",
      "[aa",
      "\\(",
      "<n ",
      "<n>x</b>",
      '<a b="',
      "<o>_<o>",
      "，",
      " ",
      "\n",
      "\r\n<x/>",
      "😀<x/>",
      "```\n",
      "＜n＞",
      "<character_1/>",
      "<lora:a:1>",
      "</ >",
      "<very>",
      "<general tags>",
      "< ",
      "a",
      "1",
    ].map((piece) => [
      piece,
      (length: number) => {
        const opening = "<general_tags><other>";
        const closing = "</other></general_tags>";
        const room = Math.max(0, length - opening.length - closing.length);
        return opening + piece.repeat(Math.floor(room / piece.length)) + closing;
      },
    ]),
  );

const LENGTHS: readonly number[] = [4096, 8192, 16384, 32768, 65536];
const REPEATS = 5;

/** How long hostile prompts take by their length; the exponent is 1 where time is linear. */
export function timeHostilePrompts() {
  return Object.entries(HOSTILE_PROMPTS).map(([piece, make]) => {
    const milliseconds = LENGTHS.map((length) => {
      const text = make(length);
      const times = Array.from({ length: REPEATS }, () => {
        const begun = performance.now();
        const { diagnostics } = checkPrompt(text);
        renderDiagnostics(text, diagnostics);
        return performance.now() - begun;
      });
      return Math.min(...times);
    });
    const exponent = Math.log2(milliseconds.at(-1)! / milliseconds.at(-3)!) / 2;
    return {
      piece,
      lengths: LENGTHS,
      milliseconds: milliseconds.map((value) => Number(value.toFixed(2))),
      exponent: Number(exponent.toFixed(2)),
    };
  });
}
