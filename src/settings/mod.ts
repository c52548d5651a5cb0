/**
 * What can be said of a picture to be made: stated once, read and written everywhere.
 *
 * @module
 */
export * from "./infotext.ts";
export * from "./kinds.ts";
export * from "./leaves.ts";
export * from "./own_word.ts";
export * from "./schema.ts";
export * from "./settings.ts";
export type * from "./types.ts";
export * from "./values.ts";
