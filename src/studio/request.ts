/**
 * What a person asks for, however they asked: typed, as options, in a batch or in a picture's
 * recipe.
 *
 * @module
 */
import { RequestError } from "../errors.ts";
import { jsonProblem } from "../json_problem.ts";
import type { Texts } from "../language.ts";
import { type GeneratorOptions, randomSeed } from "../random/mod.ts";
import {
  type AskedSettings,
  COUNT,
  exact,
  fromJson,
  type Kind,
  leavesOf,
  nested,
  ownWordFor,
  RANDOM_SEED,
  SETTINGS,
  type SettingsTable,
  wrongValue,
} from "../settings/mod.ts";
import { text } from "../settings/kinds.ts";
import { unwrapPrompt } from "../prompt/mod.ts";
import { type LoraRequest, loraRequests } from "./lora_request.ts";

/** One picture to be made. What is absent is left to the model. */
export interface PictureRequest extends AskedSettings {
  readonly prompt: string;
  /** Adapters, besides those that the prompt names. */
  readonly loras?: readonly LoraRequest[];
}

/** The generator of a request: a random seed where none is asked for, or −1. */
export function requestedGenerator(
  { seed, ...rest }: NonNullable<AskedSettings["generator"]> = {},
): GeneratorOptions {
  return { ...rest, seed: seed === undefined || seed === RANDOM_SEED ? randomSeed() : seed };
}

/**
 * The generator of a later picture of the same request: seeds in a row, which begin again at 0 after
 * the last.
 */
export function laterSeed(generator: GeneratorOptions, index: number): GeneratorOptions {
  const seed = BigInt.asUintN(64, BigInt(generator.seed) + BigInt(index));
  return { ...generator, seed: exact(seed) };
}

/**
 * Reads a size such as `256x384` or `256×384`, width first; a single number is a square.
 *
 * @throws {RequestError} When it is none.
 */
export function parseSize(text: string): { width: number; height: number } {
  const match = /^\s*(\d{1,6})\s*(?:[x×*,，]\s*(\d{1,6})\s*)?$/i.exec(text.normalize("NFKC"));
  if (match === null) {
    throw new RequestError(
      `${JSON.stringify(text)} is no size: expected width and height in pixels, such as 256x384.`,
      { zh: `${JSON.stringify(text)} 不是尺寸：应为以像素计的宽和高，例如 256x384。` },
    );
  }
  const width = Number(match[1]);
  return { width, height: match[2] === undefined ? width : Number(match[2]) };
}

/** What a line of a batch may say besides the settings. */
const LINE = {
  prompt_file: text(),
  output: text(),
  count: COUNT.kind,
} as const;

/** What a line calls its adapters. */
export const LORA_WORD = "lora";

/** A line of a batch as read. */
export interface BatchLine {
  readonly request: AskedSettings & Pick<PictureRequest, "loras">;
  /** A file with the prompt, where the prompt itself is not in the line. */
  readonly promptFile: string | undefined;
  /** The picture's file name. */
  readonly output: string | undefined;
  /** How many pictures to make of it. */
  readonly count: number | undefined;
}

/** The words that a line of a batch may have. */
function batchWords(table: SettingsTable = SETTINGS): readonly string[] {
  return [...leavesOf(table).map(({ setting }) => setting.word), ...Object.keys(LINE), LORA_WORD];
}

/** Whether JSON is a prompt as ComfyUI's template or upstream's trainer write it, and no request. */
function isWrappedPrompt(json: unknown): boolean {
  if (typeof json !== "object" || json === null || "prompt" in json || "prompt_file" in json) {
    return false;
  }
  return unwrapPrompt(JSON.stringify(json)).unused !== undefined;
}

/**
 * Checks one request of a batch: a JSON object with the words of the options
 * (`{"prompt": "…", "seed": 7}`), a JSON string, which is the prompt, or the JSON that programs of the
 * community write around a prompt (`{"image": {"tags": "…"}}`).
 *
 * @throws {RequestError} Naming everything that is wrong.
 */
export function batchRequest(json: unknown, table: SettingsTable = SETTINGS): BatchLine {
  const prompt = typeof json === "string"
    ? json
    : isWrappedPrompt(json)
    ? JSON.stringify(json)
    : undefined;
  const said = prompt === undefined ? json : { prompt };
  if (typeof said !== "object" || said === null || Array.isArray(said)) {
    throw new RequestError('A request is an object such as {"prompt": "1girl"}, or a text.', {
      zh: '一个请求应为 {"prompt": "1girl"} 这样的对象，或一段文字。',
    });
  }
  const problems: Texts<string>[] = [];
  const valueOf = <Value>(word: string, kind: Kind<Value>): Value | undefined => {
    if (!Object.hasOwn(said, word)) return undefined;
    const found = (said as Readonly<Record<string, unknown>>)[word];
    const value = fromJson(kind, kind.fromLine === undefined ? found : kind.fromLine(found));
    if (value === undefined) problems.push(wrongValue(JSON.stringify(word), found, kind));
    return value;
  };
  const request = nested(
    leavesOf(table).map(({ path, setting: { word, kind } }) => [path, valueOf(word, kind)]),
  ) as AskedSettings;
  const loras = lorasOf(said, problems);
  const promptFile = valueOf("prompt_file", LINE.prompt_file);
  const output = valueOf("output", LINE.output);
  const count = valueOf("count", LINE.count);

  const known = batchWords(table);
  const unknown = Object.keys(said).filter((word) => !known.includes(word));
  for (const word of unknown) {
    const name = JSON.stringify(word);
    const own = ownWordFor(word);
    problems.push({
      en: `there is no ${name}${own === undefined ? "" : `, which is "${own}" here`}.`,
      zh: `没有 ${name}${own === undefined ? "" : `，这里叫 "${own}"`}。`,
    });
  }
  if (problems.length === 0 && ("prompt" in said) === ("prompt_file" in said)) {
    problems.push({
      en: 'expected either "prompt" or "prompt_file".',
      zh: '应有 "prompt" 或 "prompt_file" 之一。',
    });
  }
  if (problems.length > 0) {
    const mayHave: Texts<string> = unknown.length === 0 ? { en: "", zh: "" } : {
      en: ` A request may have: ${known.join(", ")}.`,
      zh: `一个请求可以有：${known.join("、")}。`,
    };
    throw new RequestError(problems.map(({ en }) => en).join(" ") + mayHave.en, {
      zh: problems.map(({ zh }) => zh).join("") + mayHave.zh,
    });
  }
  return {
    request: loras === undefined ? request : { ...request, loras },
    promptFile,
    output,
    count,
  };
}

function lorasOf(said: object, problems: Texts<string>[]): readonly LoraRequest[] | undefined {
  if (!(LORA_WORD in said)) return undefined;
  try {
    return loraRequests(said[LORA_WORD]);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    problems.push({ en: error.explain("en"), zh: error.explain("zh") });
    return undefined;
  }
}

/**
 * Reads one line of a batch, see {@linkcode batchRequest}.
 *
 * @throws {RequestError} Naming everything that is wrong.
 */
export function parseBatchLine(line: string, table: SettingsTable = SETTINGS): BatchLine {
  let json: unknown;
  try {
    // Lines of an array have a comma behind them.
    json = JSON.parse(line.replace(/,\s*$/, ""));
  } catch (cause) {
    const { en, zh } = jsonProblem(cause);
    throw new RequestError({
      en: `${en}. Expected an object in one line, such as {"prompt": "1girl"}.`,
      zh: `${zh}。应为写在一行里的对象，例如 {"prompt": "1girl"}。`,
    }, { cause });
  }
  return batchRequest(json, table);
}
