import { CLOSING, OPENING } from "./_brackets.ts";

/** An adapter that a prompt asks for. */
export interface LoraTag {
  readonly name: string;
  /** How strongly it works in the transformer; 1 where the tag does not say. */
  readonly weight: number;
  /** The same in the text encoders, where that differs. */
  readonly textWeight?: number;
}

/** A prompt without the adapters that it asks for. */
export interface LoraTags {
  /** The prompt as if nobody had typed the tags: commas and lines that were theirs are gone, too. */
  readonly text: string;
  /** The prompt with spaces in the place of the tags, so that places in it stay what they are. */
  readonly blanked: string;
  /** In the order of the text; one that is named twice stands there with the sum of its weights. */
  readonly loras: readonly LoraTag[];
}

/** Also as an input method writes it: `＜lora：style：0.8＞`. */
const TAG = new RegExp(
  `[${OPENING}](?:lora|lyco|lycoris)[:：]([^${OPENING}${CLOSING}\\r\\n]{1,300})[${CLOSING}]`,
  "gi",
);
const COMMENT = /<!--[^]*?-->/g;
const NUMBER = String.raw`[-+]?(?:\d{1,6}\.?\d{0,12}|\.\d{1,12})`;
/** A weight behind a name: `:0.8`, `:te=0.6`, `:unet=0.8`. */
const WEIGHT = new RegExp(`[:：]\\s*(?:(te|unet)=)?(${NUMBER})\\s*$`, "iu");
const MOST_UNNAMED_WEIGHTS = 2;

/**
 * Reads a name, which may have colons, and its weights as AUTOMATIC1111 does: `style:0.8`,
 * `style:0.6:0.8` with the text encoders' in front, `style:te=0.6:unet=0.8`.
 */
export function readWeightedName(text: string): LoraTag {
  let name = text;
  const unnamed: number[] = [];
  const named = new Map<string, number>();
  for (;;) {
    const found = WEIGHT.exec(name);
    if (found === null) break;
    const word = found[1]?.toLowerCase();
    if (word === undefined ? unnamed.length === MOST_UNNAMED_WEIGHTS : named.has(word)) break;
    if (word === undefined) unnamed.unshift(Number(found[2]));
    else named.set(word, Number(found[2]));
    name = name.slice(0, found.index);
  }
  const textWeight = named.get("te") ?? unnamed[0] ?? 1;
  const weight = named.get("unet") ?? unnamed[1] ?? textWeight;
  return { name: name.trim(), weight, ...(textWeight === weight ? {} : { textWeight }) };
}

/**
 * Takes the adapters out of a prompt that it asks for in AUTOMATIC1111's words: `<lora:style>`,
 * `<lora:style:0.8>`, and with a weight of its own for the text encoders in front,
 * `<lora:style:0.6:0.8>`. They may stand anywhere, inside XML's elements too; what is in a comment is
 * none.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const { text, loras } = readLoraTags("1girl, <lora:night:0.8>, smile");
 * assert.equal(text, "1girl, smile");
 * assert.deepEqual(loras, [{ name: "night", weight: 0.8 }]);
 * ```
 */
export function readLoraTags(prompt: string): LoraTags {
  const found = [...prompt.matchAll(TAG)];
  if (found.length === 0) return { text: prompt, blanked: prompt, loras: [] };
  const comments = [...prompt.matchAll(COMMENT)].map(({ index, 0: { length } }) =>
    [index, index + length] as const
  );
  const tags = found.flatMap((match) => {
    const start = match.index;
    if (comments.some(([from, to]) => from <= start && start < to)) return [];
    return [{ start, end: start + match[0].length, ...readWeightedName(match[1]!) }];
  });
  const sums = new Map<string, { weight: number; textWeight: number }>();
  for (const { name, weight, textWeight = weight } of tags) {
    const sum = sums.get(name) ?? { weight: 0, textWeight: 0 };
    sums.set(name, { weight: sum.weight + weight, textWeight: sum.textWeight + textWeight });
  }
  return {
    text: withoutTags(prompt, tags),
    blanked: blankedAt(prompt, tags),
    loras: [...sums].map(([name, { weight, textWeight }]) => ({
      name,
      weight,
      ...(textWeight === weight ? {} : { textWeight }),
    })),
  };
}

interface Place {
  readonly start: number;
  readonly end: number;
}

function blankedAt(prompt: string, places: readonly Place[]): string {
  const kept: string[] = [];
  let at = 0;
  for (const { start, end } of places) {
    kept.push(prompt.slice(at, start), " ".repeat(end - start));
    at = end;
  }
  return kept.join("") + prompt.slice(at);
}

/** Cuts tags out, each with what only it had put there: a comma and spaces, or a line of its own. */
function withoutTags(prompt: string, tags: readonly Place[]): string {
  const kept: string[] = [];
  let at = 0;
  for (const { start, end } of neighboursJoined(prompt, tags)) {
    const before = prompt.slice(at, start);
    // What stands directly before a tag, and directly behind it.
    const tail = (at === 0 ? "" : kept.at(-1)!.slice(-LONGEST_GAP)) + before.slice(-LONGEST_GAP);
    const next = prompt.slice(end, end + LONGEST_GAP);
    const isFirst = /(?:^|[,，、>\n])[ \t]*$/.test(tail);
    const comma = /^[ \t]*[,，、][ \t]*/.exec(next)?.[0].length;
    const isLast = /^[ \t]*(?:\r?\n|<|$)/.test(next);
    const isAloneInLine = /(?:^|\n)[ \t]*$/.test(tail) && /^[ \t]*(?:\r?\n|$)/.test(next);
    at = end;
    if (isFirst && comma !== undefined) {
      kept.push(before);
      at += comma;
    } else if (isAloneInLine) {
      kept.push(before.replace(/[ \t]*$/, ""));
      at += /^[ \t]*(?:\r?\n)?/.exec(next)![0].length;
    } else if (isLast) {
      kept.push(before.replace(/[ \t]*[,，、]?[ \t]*$/, ""));
    } else {
      // Words that a tag held apart stay apart.
      const isBetweenWords = /[\p{L}\p{N}]$/u.test(tail) && /^[\p{L}\p{N}]/u.test(next);
      kept.push(isBetweenWords ? `${before} ` : before);
      if (isFirst || /[ \t]$/.test(tail)) at += /^[ \t]*/.exec(next)![0].length;
    }
  }
  return kept.join("") + prompt.slice(at);
}

/** Tags with nothing but white space of one line between them are cut out as one. */
function neighboursJoined(prompt: string, tags: readonly Place[]): readonly Place[] {
  const joined: Place[] = [];
  for (const tag of tags) {
    const last = joined.at(-1);
    const isNext = last !== undefined && tag.start - last.end <= LONGEST_GAP &&
      /^[ \t,，、]*$/.test(prompt.slice(last.end, tag.start));
    if (isNext) joined[joined.length - 1] = { start: last.start, end: tag.end };
    else joined.push(tag);
  }
  return joined;
}

/** Characters of white space that are looked at beside a tag. */
const LONGEST_GAP = 100;
