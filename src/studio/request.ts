/**
 * What a person asks for, however they asked: typed, as options, in a batch or in a picture's
 * recipe.
 *
 * @module
 */
import * as z from "zod";
import { RequestError } from "../errors.ts";
import type { GenerateOptions } from "../pipeline/types.ts";
import type { GeneratorOptions } from "../random/mod.ts";
import { jsonProblem } from "../json_problem.ts";
import { inSchema, schemaProblem } from "../schema_problems.ts";
import { SCHEDULER_NAMES } from "../schedulers/mod.ts";

/** One picture to be made, in the words of `generate`. What is absent is left to the model. */
export interface PictureRequest extends
  Pick<
    GenerateOptions,
    | "systemPrompt"
    | "raw"
    | "cfgTrunc"
    | "renormCfg"
    | "stepCache"
    | "width"
    | "height"
    | "scheduler"
  > {
  /** XML or plain text. */
  readonly prompt: string;
  readonly negativePrompt?: string;
  readonly generator: GeneratorOptions;
  readonly numInferenceSteps: number;
  readonly guidanceScale: number;
}

/** What requests of a batch may leave out. */
export type RequestDefaults =
  & Partial<PictureRequest>
  & Pick<PictureRequest, "numInferenceSteps" | "guidanceScale">;

/** The most steps of a sampler. */
export const MOST_STEPS = 1000;
/** The most guidance; far beyond what any picture survives. */
export const MOST_GUIDANCE = 1000;
/** The most pictures of one request. */
export const MOST_PICTURES = 10_000;

/** The largest seed of a generator. */
const MOST_SEED = 2n ** 64n - 1n;

/**
 * Reads a seed: a whole number from 0 to 2⁶⁴ − 1.
 *
 * @throws {RequestError} When it is none.
 */
export function parseSeed(text: string): number | bigint {
  const seed = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
  if (seed === undefined || seed > MOST_SEED) {
    throw new RequestError(
      `${JSON.stringify(text)} is no seed: expected a whole number from 0 to ${MOST_SEED}.`,
      { zh: `${JSON.stringify(text)} 不是种子：应为 0 到 ${MOST_SEED} 的整数。` },
    );
  }
  return seed <= Number.MAX_SAFE_INTEGER ? Number(seed) : seed;
}

/**
 * The generator of a later picture of the same request: seeds in a row, which begin again at 0 after
 * the last.
 */
export function laterSeed(generator: GeneratorOptions, index: number): GeneratorOptions {
  const seed = BigInt.asUintN(64, BigInt(generator.seed) + BigInt(index));
  return { ...generator, seed: parseSeed(String(seed)) };
}

/**
 * Reads a size such as `256x384` or `256×384`, width first; a single number is a square.
 *
 * @throws {RequestError} When it is none.
 */
export function parseSize(text: string): { width: number; height: number } {
  const match = /^\s*(\d{1,6})\s*(?:[x×*,，]\s*(\d{1,6})\s*)?$/i.exec(text);
  if (match === null) {
    throw new RequestError(
      `${JSON.stringify(text)} is no size: expected width and height in pixels, such as 256x384.`,
      { zh: `${JSON.stringify(text)} 不是尺寸：应为以像素计的宽和高，例如 256x384。` },
    );
  }
  const width = Number(match[1]);
  return { width, height: match[2] === undefined ? width : Number(match[2]) };
}

const pixels = z.int().min(1);

/** A line of a batch, in the words of the options. */
const line = z.strictObject({
  prompt: z.string(),
  prompt_file: z.string(),
  negative_prompt: z.string(),
  system_prompt: z.string(),
  output: z.string(),
  steps: z.int().min(1).max(MOST_STEPS),
  guidance: z.number().min(0).max(MOST_GUIDANCE),
  // Numbers beyond 2⁵³ − 1 lose digits in JSON: they are written as text.
  seed: z.union([z.int().min(0), z.string().regex(/^\d+$/)], {
    error: inSchema({
      en:
        'expected a whole number, beyond 9007199254740991 in quotes, such as "18446744073709551615"',
      zh: '应为整数；大于 9007199254740991 时请加引号，例如 "18446744073709551615"',
    }),
  }),
  width: pixels,
  height: pixels,
  scheduler: z.enum(SCHEDULER_NAMES),
  step_cache: z.number().min(0),
}).partial();

/** A line of a batch as read. */
export interface BatchLine {
  readonly request: Partial<PictureRequest>;
  /** A file with the prompt, where the prompt itself is not in the line. */
  readonly promptFile: string | undefined;
  /** The picture's file name. */
  readonly output: string | undefined;
}

/**
 * Checks one line of a batch: a JSON object with the words of the options
 * (`{"prompt": "…", "seed": 7}`), or a JSON string, which is the prompt.
 *
 * @throws {RequestError} Naming everything that is wrong.
 */
export function parseBatchLine(text: string): BatchLine {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const { en, zh } = jsonProblem(cause);
    throw new RequestError({ en: `${en}.`, zh: `${zh}。` }, { cause });
  }
  const result = line.safeParse(typeof json === "string" ? { prompt: json } : json, {
    reportInput: true,
  });
  if (!result.success) {
    const { en, zh } = schemaProblem(result.error);
    const known = Object.keys(line.shape).join(", ");
    throw new RequestError({
      en: `${en}. A line may have: ${known}.`,
      zh: `${zh}。一行可以有：${known}。`,
    });
  }
  const { prompt, prompt_file, negative_prompt, system_prompt, step_cache, output, ...rest } =
    result.data;
  if ((prompt === undefined) === (prompt_file === undefined)) {
    throw new RequestError('expected either "prompt" or "prompt_file".', {
      zh: '应有 "prompt" 或 "prompt_file" 之一。',
    });
  }
  const { steps, guidance, seed, ...others } = rest;
  const request = withoutAbsent({
    ...others,
    prompt,
    negativePrompt: negative_prompt,
    systemPrompt: system_prompt,
    stepCache: step_cache,
    numInferenceSteps: steps,
    guidanceScale: guidance,
    generator: seed === undefined ? undefined : { seed: parseSeed(String(seed)) },
  });
  return { request, promptFile: prompt_file, output };
}

/** An object without those of its properties that are undefined. */
export function withoutAbsent<T extends object>(values: T): Present<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Present<T>;
}

/** What may be undefined may be missing instead. */
type Present<T> =
  & { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] }
  & { [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined> };
