import { readPictureText } from "../image/mod.ts";
import { jsonProblem } from "../json_problem.ts";
import type { Texts } from "../language.ts";
import { RECIPE_KEYWORD, RECIPE_VERSION, recipeFromJson } from "./_schema.ts";
import { SETTINGS, type SettingsTable } from "../settings/mod.ts";
import { readForeignRecipe } from "./read_foreign_recipe.ts";
import { RecipeError, type RecipeProblem } from "./recipe_error.ts";
import type { Recipe } from "./types.ts";

/**
 * The recipe of a picture, whatever the rest of the file is like: a picture that cannot be decoded, or
 * that is cut short, or another program's broken text, does not matter.
 *
 * @param source The bytes of a PNG, JPEG, WebP or AVIF, or a picture's texts by keyword.
 * @param table The settings that a recipe may hold.
 * @throws {RecipeError} When there is none, a later version of the toolkit or another program wrote
 * it, or it is damaged; `problem` says which, and has what the other program wrote.
 * @throws {ImageError} When the bytes are no picture of these formats.
 */
export function readRecipe(
  source: Uint8Array | Readonly<Record<string, string>>,
  table: SettingsTable = SETTINGS,
): Recipe {
  const { text, unread = [] } = source instanceof Uint8Array
    ? readPictureText(source)
    : { text: source };
  const written = text[RECIPE_KEYWORD];
  if (written === undefined) {
    if (unread.includes(RECIPE_KEYWORD)) {
      throw new RecipeError(damaged([{ en: "its checksum is wrong", zh: "校验值不对" }]));
    }
    const recipe = readForeignRecipe(text, table);
    throw new RecipeError(recipe === undefined ? { kind: "none" } : { kind: "foreign", recipe });
  }
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
