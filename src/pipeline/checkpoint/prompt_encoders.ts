/**
 * The text encoders of a checkpoint, as far as the length of a prompt goes: their tokenizers alone,
 * without weights or ONNX Runtime.
 *
 * @module
 */
import type { ModelFamily } from "../../families/mod.ts";
import type { PromptEncoder } from "../../prompt/mod.ts";
import type { Tokenizer } from "../../tokenizer/mod.ts";
import type { CheckpointFiles } from "./types.ts";
import { openTokenizer } from "./open_tokenizer.ts";
import { readConfig } from "./read_config.ts";

/** What decides how much of a prompt is read. */
export interface PromptReaders {
  readonly family: ModelFamily;
  /** The text encoder's. */
  readonly tokenizer: Tokenizer;
  /** The CLIP model's, where there is one. */
  readonly clipTokenizer?: Tokenizer;
  /** How many places along the text the transformer has: the first of its `axes_lens`. */
  readonly textPlaces?: number;
}

/** The encoders for `checkPrompt`. */
export function promptEncoders(
  { family, tokenizer, clipTokenizer, textPlaces = Infinity }: PromptReaders,
): PromptEncoder[] {
  const { textEncoder, clipModel } = family.encoders;
  const first: PromptEncoder = {
    name: textEncoder.name,
    // The picture's tokens take the place after the text's.
    maxTokens: Math.min(textEncoder.maxTokens, textPlaces - 1),
    systemPrompts: family.systemPrompts,
    countTokens: (text) => tokenizer.encode(text).length,
  };
  if (clipTokenizer === undefined) return [first];
  const clip: PromptEncoder = {
    name: clipModel.name,
    maxTokens: clipModel.maxTokens,
    countTokens: (text) => clipTokenizer.encode(text).length,
  };
  return [first, clip];
}

/**
 * Loads the tokenizers of a checkpoint that {@linkcode findCheckpoint} found.
 *
 * @throws {TokenizerError} When one cannot be read.
 */
export async function openPromptEncoders(files: CheckpointFiles): Promise<PromptEncoder[]> {
  const { family } = files;
  const { encoders } = family;
  const [tokenizer, clipTokenizer, textPlaces] = await Promise.all([
    openTokenizer(files.tokenizer, encoders.textEncoder.tokenizer),
    files.clipModel === undefined || files.clipTokenizer === undefined
      ? undefined
      : openTokenizer(files.clipTokenizer, encoders.clipModel.tokenizer),
    textPlacesOf(files.transformer.config),
  ]);
  return promptEncoders({
    family,
    tokenizer,
    ...(clipTokenizer === undefined ? {} : { clipTokenizer }),
    ...(textPlaces === undefined ? {} : { textPlaces }),
  });
}

/**
 * What the configuration states. Where it cannot be read, loading the model tells; here the limit of
 * the text encoder is enough.
 */
async function textPlacesOf(config: string | undefined): Promise<number | undefined> {
  if (config === undefined) return undefined;
  try {
    const { axes_lens: lengths } = await readConfig(config) as { readonly axes_lens?: unknown };
    const places: unknown = Array.isArray(lengths) ? lengths[0] : undefined;
    return typeof places === "number" ? places : undefined;
  } catch {
    return undefined;
  }
}
