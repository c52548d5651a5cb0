import type { Texts } from "../language.ts";
import {
  readRecipe,
  type Recipe,
  RecipeError,
  type RecipePictures,
  type RecipeProblem,
} from "../recipe/mod.ts";
import { foreignRequest } from "./foreign_request.ts";
import { loraText } from "./lora_request.ts";
import { LORA_WORD } from "./request.ts";
import { wordedSettings } from "./worded_settings.ts";

/** What a picture says of how it was made, whichever program made it. */
export interface PictureSettings {
  /** Who wrote it. */
  readonly program: string;
  /** By the words of a request, so that it can be made again. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The template from which the prompt was drawn. */
  readonly template?: string;
  /** Which models drew it, and what with; absent for other programs. */
  readonly made?: Pick<Recipe, "models" | "provider" | "dtype" | "versions">;
  /** SHA-256 of the files that it was drawn from; absent where there were none, or nobody says. */
  readonly hashes?: Pick<RecipePictures, "image" | "mask">;
  /** What another program says that has no meaning here. */
  readonly left: readonly { readonly name: string; readonly value: string }[];
}

/** The toolkit's own name in recipes. */
const OWN = "NewBie Toolkit";

/**
 * Reads what a picture says of itself.
 *
 * @param bytes A PNG, JPEG, WebP or AVIF.
 * @param multiple What each side must be a multiple of.
 * @returns The settings, or in words why there are none.
 * @throws {ImageError} When the bytes are no picture of these formats.
 */
export function pictureSettings(
  bytes: Uint8Array,
  multiple: number,
): PictureSettings | { readonly problem: Texts<string>; readonly kind: RecipeProblem["kind"] } {
  try {
    const recipe = readRecipe(bytes);
    const { template, models, provider, dtype, versions, pictures, adapters = [] } = recipe;
    return {
      program: OWN,
      settings: {
        ...wordedSettings(askedAgain(recipe)),
        ...(adapters.length === 0 ? {} : { [LORA_WORD]: adapters.map(loraText) }),
      },
      ...(pictures === undefined ? {} : { hashes: pictures }),
      ...(template === undefined ? {} : { template }),
      made: { models, provider, dtype, versions },
      left: [],
    };
  } catch (error) {
    if (!(error instanceof RecipeError)) throw error;
    const { problem } = error;
    if (problem.kind === "foreign") {
      const { program, left } = problem.recipe;
      const { request } = foreignRequest(problem.recipe, multiple);
      return { program, settings: wordedSettings(request), left };
    }
    return { kind: problem.kind, problem: { en: error.explain("en"), zh: error.explain("zh") } };
  }
}

/** What to ask for, to get the same again: of a picture that grew from another one, the size before. */
function askedAgain({ width, height, pictures, ...settings }: Recipe): object {
  if (pictures === undefined) return { width, height, ...settings };
  const { width: askedWidth, height: askedHeight } = pictures;
  return { width: askedWidth, height: askedHeight, ...settings };
}
