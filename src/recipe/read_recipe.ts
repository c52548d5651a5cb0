import { decodePng } from "../image/mod.ts";
import { jsonProblem } from "../json_problem.ts";
import type { Texts } from "../language.ts";
import { PARAMETERS_KEYWORD, readParameters } from "./_parameters.ts";
import { RECIPE_KEYWORD, RECIPE_VERSION, recipeFromJson } from "./_schema.ts";
import { SETTINGS, type SettingsTable } from "../settings/mod.ts";
import { RecipeError, type RecipeProblem } from "./recipe_error.ts";
import type { Recipe } from "./types.ts";

/** Texts in which ComfyUI writes its graph. */
const COMFYUI_KEYWORDS = ["prompt", "workflow"];

/** Without these in another program's `parameters` nobody could make the picture again. */
const NEEDED_PARAMETERS = [
  "Steps",
  "Sampler",
  "CFG scale",
  "Seed",
  "Size",
  "Shift",
  "Model hash",
  "VAE hash",
  "Text encoder hash",
];

/**
 * The recipe of a picture.
 *
 * @param source A PNG's bytes, or its texts by keyword.
 * @param table The settings that a recipe may hold.
 * @throws {RecipeError} When there is none, a later version of the toolkit or another program wrote
 * it, or it is damaged; `problem` says which.
 * @throws {ImageError} When the bytes are no sound PNG.
 */
export function readRecipe(
  source: Uint8Array | Readonly<Record<string, string>>,
  table: SettingsTable = SETTINGS,
): Recipe {
  const text = source instanceof Uint8Array ? decodePng(source).text : source;
  const written = text[RECIPE_KEYWORD];
  if (written === undefined) throw new RecipeError(withoutRecipe(text));
  const json = parse(written);
  const version = typeof json === "object" && json !== null && "version" in json
    ? json.version
    : undefined;
  if (typeof version === "number" && version > RECIPE_VERSION) {
    throw new RecipeError({ kind: "newer", version, known: RECIPE_VERSION });
  }
  const recipe = recipeFromJson(json, table);
  if ("problems" in recipe) {
    throw new RecipeError(damaged(recipe.problems));
  }
  return recipe;
}

function withoutRecipe(text: Readonly<Record<string, string>>): RecipeProblem {
  const written = text[PARAMETERS_KEYWORD];
  if (written !== undefined) {
    const parameters = readParameters(written);
    const missing = NEEDED_PARAMETERS.filter((name) => !Object.hasOwn(parameters, name));
    return { kind: "foreign", program: "AUTOMATIC1111", parameters, missing };
  }
  if (COMFYUI_KEYWORDS.some((keyword) => text[keyword]?.startsWith("{"))) {
    return { kind: "foreign", program: "ComfyUI", parameters: {}, missing: NEEDED_PARAMETERS };
  }
  return { kind: "none" };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RecipeError(damaged([jsonProblem(cause)]), { cause });
  }
}

function damaged(problems: readonly Texts<string>[]): RecipeProblem {
  const [details, chinese] = [problems.map(({ en }) => en), problems.map(({ zh }) => zh)];
  return { kind: "damaged", details, chinese };
}
