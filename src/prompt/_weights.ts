/**
 * Notations of other tools that this model was not trained on. Danbooru's own brackets, as in
 * `saber_(fate)`, `:)` and `(o)_(o)`, are none of them.
 *
 * @module
 */
import type { Findings } from "./_findings.ts";

/** `(blue_hair:1.2)`, also around several tags. The colon follows a tag of two letters at least. */
const NUMBERED = new RegExp(
  String
    .raw`(?<![\p{L}\p{N}_\\)(（])[(（]+([^()（）:：]{2,200})(?<!\s)[:：] ?\d{0,4}\.?\d{1,4} ?[)）]+`,
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
/** `<lora:name:0.8>`. */
const LORA = /<(?:lora|lyco|lycoris|hypernet):[^<>]{1,200}>/gi;

/** `{red|blue}`, of which a template takes one. */
const CHOICE = /\{[^{}\r\n]{0,200}\|[^{}\r\n]{0,200}\}/gu;
/** `__hair__`, in whose place a template puts a line of a file. */
const WILDCARD = /(?<![\p{L}\p{N}_])__[\p{L}\p{N}][\p{L}\p{N}_/*-]{0,100}__(?![\p{L}\p{N}_])/gu;

const LETTERS = /\p{L}.*\p{L}/su;

/** Tells of notations that stay text although they mean something elsewhere. */
export function reportWeights(text: string, start: number, findings: Findings): void {
  const each = (pattern: RegExp, report: (found: string, at: number) => void) => {
    for (const match of text.matchAll(pattern)) {
      const found = match[1] ?? match[0];
      report(found, start + match.index + match[0].lastIndexOf(found));
    }
  };
  for (const { 0: found, 1: tag, index } of text.matchAll(NUMBERED)) {
    if (!LETTERS.test(tag!)) continue;
    const at = start + index;
    findings.add("weighted-tag", at, at + found.length, found);
  }
  each(BRACKETED, (found, at) => {
    if (LETTERS.test(found)) findings.add("weighted-tag", at, at + found.length, found);
  });
  each(ESCAPED, (found, at) => {
    findings.add("escaped-parenthesis", at, at + found.length, found);
  });
  each(CHOICE, (found, at) => {
    if (LETTERS.test(found)) findings.add("template", at, at + found.length, found);
  });
  each(WILDCARD, (found, at) => findings.add("template", at, at + found.length, found));
  each(LORA, (found, at) => findings.add("lora-tag", at, at + found.length, found));
}
