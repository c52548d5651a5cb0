import { PARAMETERS_KEYWORD, parametersText } from "./_parameters.ts";
import { RECIPE_KEYWORD, recipeToJson } from "./_schema.ts";
import { SETTINGS, type SettingsTable } from "../settings/mod.ts";
import type { Recipe } from "./types.ts";

/**
 * A recipe as texts for `encodePng`:
 *
 * - `parameters`, in the form of AUTOMATIC1111's web UI, which viewers of pictures read. A line of
 *   the prompt that begins with `Negative prompt:` misleads them.
 * - `newbie`, JSON with a `version`, which {@linkcode readRecipe} reads. It holds all that the recipe
 *   holds, in any Unicode.
 *
 * @param table The settings that a recipe may hold.
 *
 * @example
 * ```ts
 * import { readRecipe } from "./read_recipe.ts";
 * import type { Recipe } from "./types.ts";
 * import { currentVersions } from "./versions.ts";
 * import assert from "node:assert/strict";
 *
 * const model = (name: string) => ({ name, sha256: "0".repeat(64) });
 * const recipe: Recipe = {
 *   prompt: "1girl, 初音ミク",
 *   negativePrompt: "",
 *   generator: { seed: 42, device: "cpu" },
 *   numInferenceSteps: 30,
 *   guidanceScale: 7,
 *   cfgTrunc: 100,
 *   renormCfg: 1,
 *   scheduler: { name: "euler", shift: 6 },
 *   width: 256,
 *   height: 256,
 *   models: {
 *     layout: "toolkit",
 *     transformer: model("demo/next-dit"),
 *     textEncoder: model("demo/transformer"),
 *     vae: model("demo/vae"),
 *   },
 *   provider: "cpu",
 *   dtype: "float32",
 *   versions: currentVersions(),
 * };
 * const text = recipeText(recipe);
 * assert(text.parameters?.startsWith("1girl, 初音ミク\nSteps: 30, Sampler: Euler, CFG scale: 7, "));
 * assert.deepEqual(readRecipe(text), recipe);
 * ```
 */
export function recipeText(
  recipe: Recipe,
  table: SettingsTable = SETTINGS,
): Record<string, string> {
  return {
    [PARAMETERS_KEYWORD]: parametersText(recipe, table),
    [RECIPE_KEYWORD]: recipeToJson(recipe, table),
  };
}
