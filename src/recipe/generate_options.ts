import { SETTINGS, type Settings, withAbsent } from "../settings/mod.ts";
import type { Recipe } from "./types.ts";

/**
 * The request that makes a recipe's picture: `NewBieImagePipeline.generate` makes it bit for bit
 * with the same models, provider and dtype.
 */
export function generateOptions(recipe: Recipe): Settings {
  return withAbsent(recipe, SETTINGS) as Settings;
}
