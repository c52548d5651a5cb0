/** The recipe as JSON: what is written into the text `newbie` of a PNG. */
import { z } from "zod";
import type { CheckpointLayout } from "../pipeline/checkpoint/find_checkpoint.ts";
import type { GeneratorDevice } from "../random/mod.ts";
import type { SchedulerName } from "../schedulers/mod.ts";
import type { Recipe } from "./types.ts";
import type { Texts } from "../language.ts";
import { inSchema, schemaProblems } from "../schema_problems.ts";

/** The keyword of the text. */
export const RECIPE_KEYWORD = "newbie";

/** To be raised when a reader of this version would misunderstand what is written. */
export const RECIPE_VERSION = 1;

const SCHEDULERS = [
  "euler",
  "midpoint",
  "heun",
  "dpm-solver++",
  "res_multistep",
] as const satisfies readonly SchedulerName[];
const LAYOUTS = ["toolkit", "diffusers", "comfyui"] as const satisfies readonly CheckpointLayout[];
const GENERATORS = ["cpu", "cuda"] as const satisfies readonly GeneratorDevice[];

const SEED_WORDS = inSchema({ en: "expected a whole number in quotes", zh: "应为带引号的整数" });
const HASH_WORDS = inSchema({ en: "expected 64 hexadecimal digits", zh: "应为 64 个十六进制数字" });

/** JSON's numbers are exact up to 2⁵³ − 1 only, so a seed is decimal digits. */
const seed = z.string().regex(/^-?\d{1,20}$/, SEED_WORDS).transform(
  (digits) => {
    const exact = BigInt(digits);
    const number = Number(exact);
    return Number.isSafeInteger(number) ? number : exact;
  },
);

const size = z.int().positive();
const name = z.string().min(1);
const model = z.strictObject({
  name,
  sha256: z.string().regex(/^[0-9a-f]{64}$/, HASH_WORDS),
});

const recipe = z.strictObject({
  version: z.literal(RECIPE_VERSION),
  prompt: z.string(),
  negativePrompt: z.string(),
  systemPrompt: z.string().exactOptional(),
  raw: z.boolean().exactOptional(),
  generator: z.strictObject({
    seed,
    device: z.enum(GENERATORS),
    multiProcessorCount: size.exactOptional(),
    maxThreadsPerMultiProcessor: size.exactOptional(),
  }),
  numInferenceSteps: size,
  guidanceScale: z.number(),
  cfgTrunc: z.number(),
  renormCfg: z.number(),
  stepCache: z.number().exactOptional(),
  scheduler: z.strictObject({ name: z.enum(SCHEDULERS), shift: z.number() }),
  width: size,
  height: size,
  models: z.strictObject({
    layout: z.enum(LAYOUTS),
    transformer: model,
    textEncoder: model,
    clipModel: model.exactOptional(),
    vae: model,
  }),
  provider: name,
  dtype: name,
  versions: z.strictObject({ toolkit: name, deno: name, onnxruntime: name }),
});

/** The JSON of a recipe. */
export function recipeToJson(recipe: Recipe): string {
  const { generator, cfgTrunc, ...rest } = recipe;
  return JSON.stringify({
    version: RECIPE_VERSION,
    ...rest,
    // JSON has no infinity, and any time above 1 means the same.
    cfgTrunc: Math.max(-Number.MAX_VALUE, Math.min(cfgTrunc, Number.MAX_VALUE)),
    generator: { ...generator, seed: generator.seed.toString() },
  });
}

/** What is wrong with a recipe of this version, or the recipe. */
export function recipeFromJson(
  json: unknown,
): Recipe | { readonly problems: readonly Texts<string>[] } {
  const parsed = recipe.safeParse(json, { reportInput: true });
  if (parsed.success) {
    const { version: _, ...rest } = parsed.data;
    return rest;
  }
  return { problems: schemaProblems(parsed.error) };
}
