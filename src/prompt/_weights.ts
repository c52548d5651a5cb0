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
    .raw`(?<![\p{L}\p{N}_\\)(（])[(（]+[^()（）:：]{2,200}(?:(?<!\s)[:：] ?|[:：] )` +
    String.raw`-?\d{0,4}\.?\d{1,4} ?[)）]+`,
  "gu",
);
/** NovelAI's `1.3::blue_hair::`, and no weight of a choice, `{3::red|2::blue}`. */
const BETWEEN_COLONS = /(?<![\p{L}\p{N}_:.|{])-?\d{0,3}\.?\d{1,3}::[^:|{}\r\n]{1,200}::/gu;
/** InvokeAI's `(blue hair)1.3` and `(blue hair)++`. */
const BEHIND_BRACKETS =
  /(?<![\p{L}\p{N}_\\)(（])\([^()（）:：\r\n]{2,200}\)(?:\d\.\d{1,2}|[+-]{1,4})(?=[\s,，、]|$)/gu;
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
/** `BREAK` and the words of Regional Prompter, in capitals; `AND` where it does not stand among such. */
const BREAK =
  /(?<![\p{L}\p{N}_])(?:BREAK|ADD(?:BASE|COMM|COL|ROW)|(?<=[\p{Ll}\p{N})>]\s{0,3}[,，、]?\s{1,3})AND(?=\s{1,3}[\p{Ll}\p{N}(<]))(?![\p{L}\p{N}_])/gu;
/** `embedding:easynegative`, ComfyUI's way to call a textual inversion up. */
const EMBEDDING = /(?<![\p{L}\p{N}_])embedding:[^\s,，、:()<>]{1,100}/giu;
/** SwarmUI's `<random:red,blue>` and its kin. */
const SWARM = new RegExp(
  `[${OPENING}](?:random|wildcard|alternate|fromto|repeat|segment|object|region|embed|preset|setvar|var)` +
    `(?:\\[[^\\[\\]\\r\\n]{0,60}\\])?[:：][^${OPENING}${CLOSING}\\r\\n]{1,200}[${CLOSING}]`,
  "gi",
);
/** `--ar 16:9`, `--steps 20`: options of Midjourney, and of lists of prompts. */
const OPTION =
  /(?<!\S)--(?:ar|aspect|no|niji|v|s|stylize|q|chaos|style|sref|cref|iw|tile|weird|seed|prompt|negative[_-]prompt|steps|cfg[_-]scale|sampler(?:_name)?|width|height|batch_(?:size|count)|n_iter)(?: +(?!--)(?:"[^"\r\n]{0,500}"|[^\s,，"]{1,100}))?(?=[\s,，]|$)/g;
/** What AUTOMATIC1111's web UI writes below a picture's prompt. */
const PARAMETERS = /^[ \t]*(?:Negative prompt:|Steps: \d{1,4},)[^\r\n]{0,500}/gm;

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
  each(PARAMETERS, (_, at, end) => findings.add("picture-parameters", at, end));
  each(LORA, (found, at, end) => findings.add("lora-tag", at, end, found));
  each(SWARM, (found, at, end) => findings.add("swarm-tag", at, end, found));
  each(OPTION, (found, at, end) => findings.add("option-in-prompt", at, end, found));
  each(ALTERNATION, (found, at, end) => findings.add("alternation", at, end, found), hasLetters);
  each(GROUPED, weighted, hasLetters);
  each(NUMBERED, weighted, (found) => hasLetters(found.replace(/[:：][^:：]*$/, "")));
  each(BETWEEN_COLONS, weighted, hasLetters);
  each(BEHIND_BRACKETS, weighted, hasLetters);
  each(BRACKETED, weighted, hasLetters);
  each(ESCAPED, (found, at, end) => findings.add("escaped-parenthesis", at, end, found));
  const template = (found: string, at: number, end: number) =>
    findings.add("template", at, end, found);
  each(CHOICE, template, hasLetters);
  each(WILDCARD, template);
  each(BREAK, (found, at, end) => findings.add("break-word", at, end, found));
  each(EMBEDDING, (found, at, end) => findings.add("embedding-name", at, end, found));
}
