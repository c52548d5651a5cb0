/**
 * One request as many pictures that differ in a few settings: `seed=1,2,3 steps=10,20,30`.
 *
 * @module
 */
import { RequestError } from "../errors.ts";
import type { Texts } from "../language.ts";
import { isNearName } from "../prompt/mod.ts";
import type { GeneratorOptions } from "../random/mod.ts";
import {
  type AskedSettings,
  fromText,
  type Leaf,
  leavesOf,
  mergeSettings,
  nested,
  SETTINGS,
  type SettingsTable,
  toText,
  wrongValue,
} from "../settings/mod.ts";
import { shown } from "../shown.ts";
import { parseLora, withoutNone } from "./lora_request.ts";
import { LORA_WORD, parseSize, type PictureRequest, requestedGenerator } from "./request.ts";

/** The most pictures of a grid. */
export const MOST_CELLS = 1024;
/** Columns, rows, and sheets of them one below the other. */
const MOST_AXES = 3;
/** Both sides at once, as the conversation asks for them. */
const SIZE = "size";
/** Settings of which a grid names what is replaced in them, not the whole text. */
const SEARCHED: ReadonlySet<string> = new Set(["prompt", "negative_prompt"]);

/** One value of an axis. */
export interface GridValue {
  /** As the grid's text has it. */
  readonly text: string;
  /** @throws {RequestError} When the value is to replace what does not stand in the prompt. */
  readonly apply: (request: PictureRequest) => PictureRequest;
}

/** A setting with the values that it takes in turn. */
export interface GridAxis {
  /** What a batch's line calls the setting, or `size`. */
  readonly word: string;
  readonly values: readonly GridValue[];
}

/** Axes from the one that changes fastest: columns, rows, and sheets of both. */
export interface Grid {
  /** The grid in a form that is read again to the same: ranges and random seeds are written out. */
  readonly text: string;
  readonly axes: readonly GridAxis[];
}

/** One picture of a grid. */
export interface GridCell {
  readonly request: PictureRequest & { readonly generator: GeneratorOptions };
  /** The value's number on each axis, counting from 0. */
  readonly place: readonly number[];
}

/**
 * Reads a grid: one to three axes with white space between, each `setting=value,value,…` by the
 * words of a batch (`steps`, `guidance`, `scheduler`; `size=256x384`). Numbers may be ranges as
 * AUTOMATIC1111's X/Y/Z plot has them: `1-5`, `1-9 (+2)`, `3-7 [5]` for five values in even steps.
 * Values of `prompt` and `negative_prompt` are parts of them: the first is looked for and replaced by
 * each (`prompt="red|blue"`). `lora=style:0,style:0.5` gives an adapter several weights. Where a `|`
 * stands, it separates the values instead of commas.
 *
 * @throws {RequestError} Naming the axis and the value that is wrong.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const { axes, text } = parseGrid("seed=1-3 guidance=3,4.5");
 * assert.deepEqual(axes.map(({ word, values }) => [word, values.length]), [["seed", 3], ["guidance", 2]]);
 * assert.equal(text, "seed=1,2,3 guidance=3,4.5");
 * ```
 */
export function parseGrid(text: string, table: SettingsTable = SETTINGS): Grid {
  const axes = axesIn(text).map(({ word, values }) => axisOf(word, values, table));
  const words = axes.map(({ word }) => word);
  const twice = words.find((word, index) => words.indexOf(word) < index);
  if (twice !== undefined) throw new RequestError(TEXTS.twice(twice));
  if (words.includes(SIZE) && words.some((word) => word === "width" || word === "height")) {
    throw new RequestError(TEXTS.twice(SIZE));
  }
  if (axes.length > MOST_AXES) throw new RequestError(TEXTS.tooManyAxes(axes.length));
  const cells = cellCount({ axes });
  if (cells > MOST_CELLS) throw new RequestError(TEXTS.tooManyCells(cells));
  return { axes, text: axes.map(writtenAxis).join(" ") };
}

/** How many pictures a grid has. */
export function cellCount({ axes }: Pick<Grid, "axes">): number {
  return axes.reduce((product, { values }) => product * values.length, 1);
}

/** Pictures with seeds in a row as a grid, in which they are made in the same order. */
export function seedGrid(seeds: readonly (number | bigint)[]): Grid {
  return parseGrid(`seed=${seeds.join(",")}`);
}

/** Whole prompts in a row as a grid of the first one. */
export function promptGrid(prompts: readonly string[]): Grid {
  const axis = axisOf("prompt", prompts, SETTINGS);
  return { axes: [axis], text: writtenAxis(axis) };
}

/**
 * The pictures of a grid, the first axis changing fastest.
 *
 * @param request What they share. A seed that it leaves open is drawn once for all of them.
 * @throws {RequestError} When a value is to replace what does not stand in the prompt.
 */
export function gridCells({ axes }: Grid, request: PictureRequest): GridCell[] {
  const shared = { ...request, generator: requestedGenerator(request.generator) };
  let cells: { request: PictureRequest; place: readonly number[] }[] = [
    { request: shared, place: [] },
  ];
  // The last axis first, so that the first one changes fastest.
  for (const { values } of axes.toReversed()) {
    cells = cells.flatMap(({ request, place }) =>
      values.map(({ apply }, number) => ({ request: apply(request), place: [number, ...place] }))
    );
  }
  return cells.map(({ request, place }) => ({
    request: { ...request, generator: requestedGenerator(request.generator) },
    place,
  }));
}

interface WrittenAxis {
  readonly word: string;
  readonly values: readonly string[];
}

// Chinese input methods write signs in full width.
const NAME = /[\s;；]*([\p{L}_][\p{L}\p{N}_-]*)\s*[=＝]\s*/uy;
/** From the start of the white space on alone, so that much of it is looked at once. */
const NEXT_NAME = /(?<![\s;；])[\s;；]+[\p{L}_][\p{L}\p{N}_-]*\s*[=＝]/u;

function axesIn(text: string): readonly WrittenAxis[] {
  const axes: WrittenAxis[] = [];
  let at = 0;
  while (/[^\s;；]/.test(text.slice(at))) {
    NAME.lastIndex = at;
    const name = NAME.exec(text);
    if (name === null) throw new RequestError(TEXTS.noAxis(text.slice(at).trim()));
    const [whole, word] = name as unknown as [string, string];
    at += whole.length;
    if (text[at] === '"') {
      const close = /^"(?:[^"\\]|\\.)*"/su.exec(text.slice(at));
      if (close === null) throw new RequestError(TEXTS.unclosed(word));
      at += close[0].length;
      axes.push({ word, values: valuesIn(close[0].slice(1, -1)) });
    } else {
      const rest = text.slice(at);
      const end = NEXT_NAME.exec(rest)?.index ?? rest.length;
      at += end;
      axes.push({ word, values: valuesIn(rest.slice(0, end).replaceAll("，", ",")) });
    }
  }
  if (axes.length === 0) throw new RequestError(TEXTS.noAxis(text.trim()));
  return axes;
}

/** What stands between `|`, or between commas where there is none; a backslash takes a mark as it is. */
function valuesIn(text: string): readonly string[] {
  const pieces = [...text.matchAll(/\\([\\"|,])|([^])/gu)].map(([, escaped, plain]) => ({
    text: escaped ?? plain!,
    isEscaped: escaped !== undefined,
  }));
  const separator = pieces.some(({ text, isEscaped }) => text === "|" && !isEscaped) ? "|" : ",";
  const values = [""];
  for (const { text, isEscaped } of pieces) {
    if (text === separator && !isEscaped) values.push("");
    else values.push(values.pop()! + text);
  }
  return values.map((value) => value.trim());
}

/** The reverse of reading; in quotes, with `|` between the values, where they are texts. */
function writtenAxis({ word, values }: GridAxis): string {
  const texts = values.map(({ text }) => text);
  if (texts.every((text) => /^[\w.+-]+$/.test(text))) return `${word}=${texts.join(",")}`;
  const escaped = texts.map((text) => text.replaceAll(/[\\"|,]/g, (mark) => `\\${mark}`));
  return `${word}="${escaped.join("|")}"`;
}

function axisOf(typed: string, values: readonly string[], table: SettingsTable): GridAxis {
  const word = typed.toLowerCase().replaceAll("-", "_");
  if (word === SIZE) return { word, values: values.map(sizeValue) };
  if (word === LORA_WORD) return { word, values: values.map(loraValue) };
  const leaf = leavesOf(table).find(({ setting }) => setting.word === word);
  if (leaf === undefined) throw new RequestError(TEXTS.unknown(typed, nearWords(word, table)));
  if (SEARCHED.has(word)) return { word, values: searchedValues(leaf, values) };
  const all: GridValue[] = [];
  for (const value of values) {
    all.push(...settingValues(leaf, value));
    if (all.length > MOST_CELLS) throw new RequestError(TEXTS.tooManyCells(all.length));
  }
  return { word, values: all };
}

function sizeValue(text: string): GridValue {
  const { width, height } = inAxis(SIZE, () => parseSize(text));
  return {
    text: `${width}x${height}`,
    apply: (request) => over(request, { width, height }),
  };
}

/** A value, or the values of a range. */
function settingValues({ path, setting }: Leaf, text: string): readonly GridValue[] {
  const { kind, word } = setting;
  const valueOf = (text: string): GridValue => {
    const value = text === "" && word !== "system_prompt" ? undefined : fromText(kind, text);
    if (value === undefined) throw new RequestError(TEXTS.wrong(word, text, kind));
    const asked = nested([[path, value]]) as AskedSettings;
    const { seed } = asked.generator ?? {};
    // One random seed for all pictures that share the value.
    const settled = seed === undefined ? asked : { generator: requestedGenerator(asked.generator) };
    const settledText = seed === undefined ? toText(kind, value) : String(settled.generator!.seed);
    return { text: settledText, apply: (request) => over(request, settled) };
  };
  const isRange = fromText(kind, text) === undefined;
  const range = isRange ? rangeOf(word, text, fromText(kind, "0.5") !== undefined) : undefined;
  return (range ?? [text]).map(valueOf);
}

const NUMBER = String.raw`([+-]?\d{1,20}(?:\.\d{1,12})?)`;
const RANGE = new RegExp(
  String.raw`^${NUMBER}\s*-\s*${NUMBER}\s*(?:\(\s*${NUMBER}\s*\)|\[\s*(\d{1,6})\s*\])?$`,
);

/** The numbers of a range as texts; undefined where the text is none. */
function rangeOf(
  word: string,
  text: string,
  mayBeFractions: boolean,
): readonly string[] | undefined {
  const [, first, last, step, count] = RANGE.exec(text.normalize("NFKC").trim()) ?? [];
  if (first === undefined || last === undefined) return undefined;
  const isWhole = [first, last, step ?? "1"].every((number) => !number.includes("."));
  // Whole numbers keep every digit of a seed.
  const scale = isWhole ? 0 : Math.max(...[first, last, step ?? ""].map(decimals));
  const unit = 10n ** BigInt(scale);
  const [begin, end] = [scaled(first, scale), scaled(last, scale)];
  const write = (number: bigint) => written(number, scale);
  if (count !== undefined) {
    const points = Number(count);
    if (points < 1 || points > MOST_CELLS) throw new RequestError(TEXTS.tooManyCells(points));
    if (isWhole && !mayBeFractions) {
      return Array.from(
        { length: points },
        (_, point) =>
          write(begin + (end - begin) * BigInt(point) / BigInt(Math.max(1, points - 1))),
      );
    }
    const [from, to] = [Number(first), Number(last)];
    return Array.from(
      { length: points },
      (_, point) =>
        String(Number((from + (to - from) * point / Math.max(1, points - 1)).toPrecision(12))),
    );
  }
  const stride = step === undefined ? (begin <= end ? unit : -unit) : scaled(step, scale);
  const length = stride === 0n ? 0n : (end - begin) / stride + 1n;
  if (length < 1n || (end - begin) * stride < 0n) {
    throw new RequestError(TEXTS.emptyRange(word, text));
  }
  if (length > BigInt(MOST_CELLS)) throw new RequestError(TEXTS.tooManyCells(length));
  return Array.from(
    { length: Number(length) },
    (_, index) => write(begin + stride * BigInt(index)),
  );
}

const decimals = (number: string) => number.split(".")[1]?.length ?? 0;

function scaled(number: string, scale: number): bigint {
  const [whole, fraction = ""] = number.replace("+", "").split(".") as [string, string?];
  return BigInt(whole + fraction.padEnd(scale, "0"));
}

function written(number: bigint, scale: number): string {
  if (scale === 0) return String(number);
  const digits = String(number < 0n ? -number : number).padStart(scale + 1, "0");
  const fraction = digits.slice(-scale).replace(/0+$/, "");
  return (number < 0n ? "-" : "") + digits.slice(0, -scale) +
    (fraction === "" ? "" : `.${fraction}`);
}

/** The first value is looked for, and each takes its place. */
function searchedValues({ path, setting }: Leaf, values: readonly string[]): readonly GridValue[] {
  const { word } = setting;
  const [search = ""] = values;
  if (search === "") throw new RequestError(TEXTS.nothingSearched(word));
  const name = path[0] as "prompt" | "negativePrompt";
  return values.map((text) => ({
    text,
    apply: (request) => {
      const before = request[name] ?? "";
      if (!before.includes(search)) throw new RequestError(TEXTS.notFound(word, search));
      return { ...request, [name]: before.replaceAll(search, () => text) };
    },
  }));
}

function over(request: PictureRequest, asked: AskedSettings): PictureRequest {
  const { prompt, loras } = request;
  return {
    ...mergeSettings([request, asked]),
    prompt,
    ...(loras === undefined ? {} : { loras }),
  };
}

/** Adapters with their weights, `style:0.5` or `style:0.5+rin`, instead of what the request has of them. */
function loraValue(text: string): GridValue {
  const meant = inAxis(LORA_WORD, () => text.split(/\+(?=\D)/).map((one) => parseLora(one)));
  return {
    text,
    apply: (request) => ({
      ...request,
      loras: withoutNone([
        ...(request.loras ?? []).filter(({ name }) => meant.every((own) => own.name !== name)),
        ...meant,
      ]),
    }),
  };
}

/** Says of an error in which axis it is. */
export function inAxis<T>(word: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw new RequestError({
      en: `--grid, ${word}: ${error.explain("en")}`,
      zh: `--grid 的 ${word}：${error.explain("zh")}`,
    }, { cause: error });
  }
}

/** Settings that a word was probably meant to be: misspelt, or by AUTOMATIC1111's name. */
function nearWords(word: string, table: SettingsTable): readonly string[] {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[ -]/g, "_");
  return leavesOf(table).map(({ setting }) => setting).filter(({ word: known, infotext }) =>
    isNearName(word, known) || plain(infotext.name).startsWith(word)
  ).map(({ word }) => word);
}

const TEXTS = {
  noAxis: (found: string): Texts<string> => ({
    en: `--grid: expected a setting and its values, such as seed=1,2,3, found "${shown(found)}".`,
    zh: `--grid：应为设置及其取值，例如 seed=1,2,3，而不是“${shown(found)}”。`,
  }),
  unclosed: (word: string): Texts<string> => ({
    en: `--grid, ${shown(word)}: the quotation mark after = is never closed.`,
    zh: `--grid 的 ${shown(word)}：= 后的引号没有闭合。`,
  }),
  unknown: (word: string, near: readonly string[]): Texts<string> => ({
    en: `--grid: there is no setting ${shown(word)}.` +
      (near.length === 0
        ? " Any of --help may be an axis, such as seed, steps, guidance, scheduler, size or prompt."
        : ` Did you mean ${near.join(" or ")}?`),
    zh: `--grid：没有 ${shown(word)} 这项设置。` +
      (near.length === 0
        ? "--help 中的任何设置都可作为轴，例如 seed、steps、guidance、scheduler、size 或 prompt。"
        : `是否想写 ${near.join(" 或 ")}？`),
  }),
  wrong: (word: string, found: string, kind: Leaf["setting"]["kind"]): Texts<string> =>
    wrongValue(
      { en: `--grid, ${word}: a value`, zh: `--grid 的 ${word}：其中一个值` },
      found,
      kind,
    ),
  emptyRange: (word: string, found: string): Texts<string> => ({
    en: `--grid, ${word}: the range "${shown(found)}" has no value: its step leads the other way.`,
    zh: `--grid 的 ${word}：范围“${shown(found)}”中没有值，步长方向相反。`,
  }),
  nothingSearched: (word: string): Texts<string> => ({
    en: `--grid, ${word}: the first value is what is looked for, and it is empty. Give a part of ` +
      `the prompt and what takes its place: ${word}="red|blue".`,
    zh:
      `--grid 的 ${word}：第一个值是要查找的文字，但它是空的。请给出提示词中的一部分和替换它的文字：` +
      `${word}="red|blue"。`,
  }),
  notFound: (word: string, search: string): Texts<string> => ({
    en:
      `--grid, ${word}: "${
        shown(search)
      }" does not stand in the prompt. The first value is looked ` +
      "for there, and each takes its place.",
    zh: `--grid 的 ${word}：提示词中没有“${
      shown(search)
    }”。第一个值会在其中查找，并依次替换为每个值。`,
  }),
  twice: (word: string): Texts<string> => ({
    en: `--grid: ${word} stands there twice; each setting can be one axis.`,
    zh: `--grid：${word} 出现了两次；每项设置只能作为一个轴。`,
  }),
  tooManyAxes: (count: number): Texts<string> => ({
    en:
      `--grid has ${count} axes; expected at most ${MOST_AXES}: columns, rows, and sheets of them.`,
    zh: `--grid 有 ${count} 个轴；最多 ${MOST_AXES} 个：列、行，以及由它们组成的多张表。`,
  }),
  tooManyCells: (count: number | bigint): Texts<string> => ({
    en: `--grid asks for ${count} pictures; expected at most ${MOST_CELLS}. A batch takes more.`,
    zh: `--grid 要求 ${count} 张图片；最多 ${MOST_CELLS} 张。更多请用批次。`,
  }),
} as const;
