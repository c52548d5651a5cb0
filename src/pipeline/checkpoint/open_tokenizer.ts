/**
 * A checkpoint's tokenizers, wherever they are kept.
 *
 * @module
 */
import { type OpaqueEntry, SafetensorsError } from "../../safetensors/mod.ts";
import {
  loadSentencePieceTokenizer,
  loadTokenizer,
  type SentencePieceKind,
  type Tokenizer,
} from "../../tokenizer/mod.ts";
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
  if (typeof place === "string") return await loadTokenizer(place);
  return loadSentencePieceTokenizer(await readBytes(place), kind, place.file);
}

async function readBytes({ file: path, offset, byteLength }: OpaqueEntry): Promise<Uint8Array> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(byteLength);
  for (let filled = 0; filled < byteLength;) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) {
      throw new SafetensorsError({
        en: `${path} became shorter while it was read.`,
        zh: `${path} 在读取过程中变短了。`,
      }, { file: path });
    }
    filled += count;
  }
  return bytes;
}
