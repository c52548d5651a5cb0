/**
 * Text to ids, from `tokenizer.json`.
 *
 * @module
 */
export * from "./load_tokenizer.ts";
export * from "./types.ts";
