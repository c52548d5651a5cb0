/** The recipe as JSON: what is written into the text `newbie` of a PNG. */
import * as z from "zod";
import type { Texts } from "../language.ts";
import { KERNELS } from "../machine/arithmetic.ts";
import { CHECKPOINT_LAYOUTS } from "../pipeline/checkpoint/types.ts";
import { inSchema } from "../schema_problems.ts";
import { SETTINGS, settingsProblems, settingsSchema, type SettingsTable } from "../settings/mod.ts";
import type { Recipe } from "./types.ts";

/** The keyword of the text. */
export const RECIPE_KEYWORD = "newbie";

/** To be raised when a reader of this version would misunderstand what is written. */
export const RECIPE_VERSION = 1;

const HASH_WORDS = inSchema({ en: "expected 64 hexadecimal digits", zh: "应为 64 个十六进制数字" });

const name = z.string().min(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, HASH_WORDS);
const model = z.strictObject({
  name,
  sha256,
  config: sha256.exactOptional(),
  tokenizer: sha256.exactOptional(),
});

function recipeSchema(table: SettingsTable) {
  return settingsSchema(table).extend({
    version: z.literal(RECIPE_VERSION),
    template: z.string().exactOptional(),
    preset: z.string().exactOptional(),
    grid: z.string().exactOptional(),
    pictures: z.strictObject({
      image: sha256,
      mask: sha256.exactOptional(),
      width: z.int().min(1).exactOptional(),
      height: z.int().min(1).exactOptional(),
    }).exactOptional(),
    models: z.strictObject({
      layout: z.enum(CHECKPOINT_LAYOUTS),
      transformer: model,
      textEncoder: model,
      clipModel: model.exactOptional(),
      vae: model,
    }),
    adapters: z.array(z.strictObject({
      name,
      weight: z.number(),
      textWeight: z.number().exactOptional(),
      sha256,
    })).min(1).exactOptional(),
    upscaler: z.strictObject({ name, sha256 }).exactOptional(),
    provider: name,
    dtype: name,
    versions: z.strictObject({ toolkit: name, deno: name, onnxruntime: name }),
    arithmetic: z.strictObject({
      processor: name,
      fingerprint: name.exactOptional(),
      kernels: z.enum(KERNELS).exactOptional(),
    }).exactOptional(),
  });
}

/** The JSON of a recipe. */
export function recipeToJson(recipe: Recipe, table: SettingsTable = SETTINGS): string {
  return JSON.stringify(z.encode(recipeSchema(table), { version: RECIPE_VERSION, ...recipe }));
}

/** What is wrong with a recipe of this version, or the recipe. */
export function recipeFromJson(
  json: unknown,
  table: SettingsTable = SETTINGS,
): Recipe | { readonly problems: readonly Texts<string>[] } {
  const schema = recipeSchema(table) as z.ZodType<unknown, unknown>;
  const read = z.safeDecode(schema, json, { reportInput: true });
  if (!read.success) return { problems: settingsProblems(json, read.error, table) };
  const { version: _, ...recipe } = read.data as Recipe & { readonly version: number };
  return recipe;
}
