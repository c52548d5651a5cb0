/**
 * The recipe of a picture: written into its PNG, and read from it again.
 *
 * @module
 */
export * from "./encode_picture.ts";
export type * from "./foreign_recipe.ts";
export * from "./generate_options.ts";
export * from "./hash_weights.ts";
export * from "./identify_models.ts";
export * from "./picture_recipe.ts";
export * from "./read_foreign_recipe.ts";
export * from "./read_parameters.ts";
export * from "./read_recipe.ts";
export * from "./recipe_error.ts";
export * from "./recipe_text.ts";
export type * from "./types.ts";
export * from "./upscale_record.ts";
export * from "./versions.ts";
