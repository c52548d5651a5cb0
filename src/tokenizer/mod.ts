/**
 * Text to ids, from `tokenizer.json` or a SentencePiece model.
 *
 * @module
 */
export * from "./load_sentencepiece_tokenizer.ts";
export * from "./load_tokenizer.ts";
export * from "./types.ts";
