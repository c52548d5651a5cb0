/**
 * Notations of other tools that this model was not trained on. Danbooru's own brackets, as in
 * `saber_(fate)`, `:)` and `(o)_(o)`, are none of them.
 *
 * @module
 */
import { CLOSING, OPENING } from "./_brackets.ts";
import type { Findings } from "./_findings.ts";

/** `(blue_hair:1.2)`, also around several tags. The colon follows a tag of two letters at least. */
const NUMBERED = new RegExp(
  String
    .raw`(?<![\p{L}\p{N}_\\)(（])[(（]+[^()（）:：]{2,200}(?<!\s)[:：] ?\d{0,4}\.?\d{1,4} ?[)）]+`,
  "gu",
);
/** `((blue_hair))`, `[blue_hair]`, `{blue_hair}`, `((red_eyes, blue_hair))`: whole items of a list. */
const BRACKETED = new RegExp(
  String.raw`(?:^|[,，、])[ \t]*((?:[(（]+[^()（）[\]{}:：|\r\n]{2,200}[)）]+)|` +
    String.raw`(?:[[{]+[^()[\]{}|\r\n]{2,200}[\]}]+))(?=[ \t]*(?:[,，、\r\n]|$))`,
  "gmu",
);
/** `saber_\(fate\)`. */
const ESCAPED = /[\p{L}\p{N}_]{0,100}\\\([^()\\\r\n]{1,100}\\\)/gu;
/** `<lora:name:0.8>`, and what looks like it and is not read: `< lora:name>`, `<lora:name`. */
const LORA = new RegExp(
  `[${OPENING}][ \\t]{0,3}(?:lora|lyco|lycoris|hypernet)[ \\t]{0,3}[:：]` +
    `[^${OPENING}${CLOSING},，\\r\\n]{0,200}[${CLOSING}]?`,
  "gi",
);

/** `{red|blue}`, of which a template takes one. */
const CHOICE = /\{[^{}\r\n]{0,200}\|[^{}\r\n]{0,200}\}/gu;
/** `__hair__`, in whose place a template puts a line of a file. */
const WILDCARD = /(?<![\p{L}\p{N}_])__[\p{L}\p{N}][\p{L}\p{N}_/*-]{0,100}__(?![\p{L}\p{N}_])/gu;
/** `[a|b]`, `[a:b:0.5]`: other parts in other steps. */
const ALTERNATION =
  /\[[^[\]()|:,，、\r\n]{1,100}(?:\|[^[\]()|\r\n]{0,100}){1,8}\]|\[[^[\]():\r\n]{0,100}:[^[\]():\r\n]{0,100}:\d{0,4}\.?\d{1,4}\]/g;
/** `((a, b))`: brackets around several tags. */
const GROUPED = /[(（]{2,8}[^()（）\r\n]{2,200}[)）]{2,8}/g;
/** `BREAK`, in capitals. */
const BREAK = /(?<![\p{L}\p{N}_])BREAK(?![\p{L}\p{N}_])/gu;

const LETTERS = /\p{L}.*\p{L}/su;

/** Tells of notations that stay text although they mean something elsewhere. */
export function reportWeights(text: string, start: number, findings: Findings): void {
  // Each stretch is told of once, for what it is in the first place.
  const told = new Uint8Array(text.length);
  const each = (
    pattern: RegExp,
    report: (found: string, at: number, end: number) => void,
    isMeant: (found: string) => boolean = () => true,
  ) => {
    for (const match of text.matchAll(pattern)) {
      const found = match[1] ?? match[0];
      const at = match.index + match[0].lastIndexOf(found);
      const end = at + found.length;
      if (told.subarray(at, end).includes(1) || !isMeant(found)) continue;
      told.fill(1, at, end);
      report(found, start + at, start + end);
    }
  };
  const hasLetters = (found: string) => LETTERS.test(found);
  const weighted = (found: string, at: number, end: number) =>
    findings.add("weighted-tag", at, end, found);
  each(LORA, (found, at, end) => findings.add("lora-tag", at, end, found));
  each(ALTERNATION, (found, at, end) => findings.add("alternation", at, end, found), hasLetters);
  each(GROUPED, weighted, hasLetters);
  each(NUMBERED, weighted, (found) => hasLetters(found.replace(/[:：][^:：]*$/, "")));
  each(BRACKETED, weighted, hasLetters);
  each(ESCAPED, (found, at, end) => findings.add("escaped-parenthesis", at, end, found));
  const template = (found: string, at: number, end: number) =>
    findings.add("template", at, end, found);
  each(CHOICE, template, hasLetters);
  each(WILDCARD, template);
  each(BREAK, (_, at, end) => findings.add("break-word", at, end));
}
