/**
 * A checkpoint's tokenizers, wherever they are kept.
 *
 * @module
 */
import { join } from "node:path";
import { readPart } from "../../files.ts";
import { type OpaqueEntry, SafetensorsError } from "../../safetensors/mod.ts";
import {
  loadSentencePieceTokenizer,
  loadTokenizer,
  type SentencePieceKind,
  type Tokenizer,
  TokenizerError,
} from "../../tokenizer/mod.ts";
import { kindOf } from "./_part_files.ts";
import type { TokenizerPlace } from "./types.ts";

/**
 * Loads a tokenizer from its file, its folder, or the weights file that it is in.
 *
 * @param kind Whose it is, which a SentencePiece model does not say.
 * @throws {TokenizerError} When it cannot be read.
 */
export async function openTokenizer(
  place: TokenizerPlace,
  kind: SentencePieceKind,
): Promise<Tokenizer> {
  if (typeof place === "string") {
    for (const path of [place, join(place, "tokenizer.json")]) {
      // Of a pipe one could read for ever.
      if (await kindOf(path) === "other") {
        throw new TokenizerError(path, `${path} is not a file.`, { zh: `${path} 不是文件。` });
      }
    }
    return await loadTokenizer(place);
  }
  return loadSentencePieceTokenizer(await readBytes(place), kind, place.file);
}

async function readBytes({ file: path, offset, byteLength }: OpaqueEntry): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const bytes = await readPart(file, offset, byteLength);
  if (bytes.length === byteLength) return bytes;
  throw new SafetensorsError({
    en: `${path} became shorter while it was read.`,
    zh: `${path} 在读取过程中变短了。`,
  }, { file: path });
}
