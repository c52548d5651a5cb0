import { encodePictureAs, type PictureFormat, type RgbImage } from "../image/mod.ts";
import type { NewBieImagePipeline } from "../pipeline/pipeline.ts";
import type { GenerateResult } from "../pipeline/types.ts";
import { identifyModels } from "./identify_models.ts";
import { pictureRecipe } from "./picture_recipe.ts";
import { recipeText } from "./recipe_text.ts";
import type { RecipeModels } from "./types.ts";

/** How to encode a picture. */
export interface EncodePictureOptions {
  /**
   * Which of the result's pictures.
   *
   * @default {0}
   */
  readonly index?: number;
  /**
   * What `identifyModels` says of `pipe.checkpoint`. Without it the weights are read whole for their
   * checksums, the real ones for a minute: for many pictures ask once.
   */
  readonly models?: RecipeModels;
  /**
   * What to write.
   *
   * @default {"png"}
   */
  readonly format?: PictureFormat;
  /** Further texts by keyword. */
  readonly text?: Readonly<Record<string, string>>;
}

/**
 * A picture of `generate` as a file with its recipe, as `deno task create` writes it: `create --from`
 * and `readRecipe` read it again, and viewers show it.
 *
 * @param pipe What made the picture.
 * @param result What `generate` returned.
 * @returns The file's bytes.
 * @throws {RequestError} When there is no such picture, or its noise was given and so no seed makes
 *   it again.
 * @throws {SafetensorsError | GgufError} When weights are not what they should be.
 *
 * @example
 * ```ts
 * import { NewBieImagePipeline } from "../pipeline/pipeline.ts";
 * import { readRecipe } from "./read_recipe.ts";
 * import assert from "node:assert/strict";
 *
 * await using pipe = await NewBieImagePipeline.fromPretrained("models/demo", { log: () => {} });
 * const options = { prompt: "1girl, solo", numInferenceSteps: 1, height: 64, width: 64 };
 * const result = await pipe.generate(options);
 * const png = await encodePicture(pipe, result);
 * assert.equal(readRecipe(png).generator.seed, result.seeds[0]);
 * ```
 */
export async function encodePicture(
  pipe: Pick<NewBieImagePipeline, "arithmetic" | "checkpoint" | "device" | "dtype">,
  result: GenerateResult<RgbImage>,
  options: EncodePictureOptions = {},
): Promise<Uint8Array> {
  const { index = 0, format = "png", text = {} } = options;
  const models = options.models ?? await identifyModels(pipe.checkpoint);
  const recipe = pictureRecipe(pipe, result, models, index);
  const texts = { ...recipeText(recipe), ...text };
  return await encodePictureAs(result.images[index]!, format, { text: texts });
}
