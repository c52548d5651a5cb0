import type { GenerateOptions } from "../pipeline/types.ts";
import { createScheduler } from "../schedulers/mod.ts";
import type { Recipe } from "./types.ts";

/**
 * The request that makes a recipe's picture: `NewBieImagePipeline.generate` makes it bit for bit
 * with the same models, provider and dtype.
 *
 * @throws {RequestError} When the scheduler's shift is out of range.
 */
export function generateOptions(recipe: Recipe): GenerateOptions {
  const {
    scheduler: { name, shift },
    models: _models,
    provider: _provider,
    dtype: _dtype,
    versions: _versions,
    ...shared
  } = recipe;
  return { ...shared, scheduler: createScheduler(name, { shift }) };
}
