/**
 * The text encoders of a checkpoint, as far as the length of a prompt goes: their tokenizers alone,
 * without weights or ONNX Runtime.
 *
 * @module
 */
import { GEMMA3_MAX_TOKENS } from "../../models/gemma3.ts";
import { JINA_CLIP_MAX_TOKENS } from "../../models/jina_clip.ts";
import type { PromptEncoder } from "../../prompt/mod.ts";
import type { Tokenizer } from "../../tokenizer/mod.ts";
import type { CheckpointFiles } from "./find_checkpoint.ts";
import { openTokenizer } from "./open_tokenizer.ts";

/** What decides how much of a prompt is read. */
export interface PromptReaders {
  /** Gemma 3's. */
  readonly tokenizer: Tokenizer;
  /** Jina CLIP's, where there is one. */
  readonly clipTokenizer?: Tokenizer;
  /** How many places along the text the transformer has: the first of its `axes_lens`. */
  readonly textPlaces?: number;
}

/** The encoders for `checkPrompt`. */
export function promptEncoders(
  { tokenizer, clipTokenizer, textPlaces = Infinity }: PromptReaders,
): PromptEncoder[] {
  const gemma: PromptEncoder = {
    name: "Gemma 3",
    // The picture's tokens take the place after the text's.
    maxTokens: Math.min(GEMMA3_MAX_TOKENS, textPlaces - 1),
    readsSystemPrompt: true,
    countTokens: (text) => tokenizer.encode(text).length,
  };
  if (clipTokenizer === undefined) return [gemma];
  const clip: PromptEncoder = {
    name: "Jina CLIP",
    maxTokens: JINA_CLIP_MAX_TOKENS,
    readsSystemPrompt: false,
    countTokens: (text) => clipTokenizer.encode(text).length,
  };
  return [gemma, clip];
}

/**
 * Loads the tokenizers of a checkpoint that {@linkcode findCheckpoint} found.
 *
 * @throws {TokenizerError} When one cannot be read.
 */
export async function openPromptEncoders(files: CheckpointFiles): Promise<PromptEncoder[]> {
  const [tokenizer, clipTokenizer, textPlaces] = await Promise.all([
    openTokenizer(files.tokenizer, "gemma3"),
    files.clipModel === undefined || files.clipTokenizer === undefined
      ? undefined
      : openTokenizer(files.clipTokenizer, "xlm-roberta"),
    textPlacesOf(files.transformer.config),
  ]);
  return promptEncoders({
    tokenizer,
    ...(clipTokenizer === undefined ? {} : { clipTokenizer }),
    ...(textPlaces === undefined ? {} : { textPlaces }),
  });
}

/**
 * What the configuration states. Where it cannot be read, loading the model tells; here the limit of
 * Gemma 3 is enough.
 */
async function textPlacesOf(config: string | undefined): Promise<number | undefined> {
  if (config === undefined) return undefined;
  try {
    const places: unknown = JSON.parse(await Deno.readTextFile(config)).axes_lens?.[0];
    return typeof places === "number" ? places : undefined;
  } catch {
    return undefined;
  }
}
