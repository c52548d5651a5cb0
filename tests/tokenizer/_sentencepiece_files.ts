/** The SentencePiece models of the fixtures, as they would be published. */
import { gunzipSync } from "node:zlib";
import { fixture } from "../_fixtures.ts";

/** Wire type 2: a length and so many bytes. */
const delimitedTag = (field: number) => field << 3 | 2;

/** One field of a protobuf message, by the encoding's description alone. */
export function field(number: number, bytes: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest > 0x7f; rest >>>= 7) length.push(rest & 0x7f | 0x80);
  return Uint8Array.from([delimitedTag(number), ...length, rest, ...bytes]);
}

const read = (name: string) => Deno.readFile(fixture(`tokenizer/${name}.spiece.model`));

/** ModelProto.normalizer_spec and its precompiled_charsmap. */
const NORMALIZER_SPEC = 3;
const PRECOMPILED_CHARSMAP = 2;

/** A BPE set up as Gemma 3's. */
export const gemmaModel = () => read("bpe_gemma");

/** A Unigram set up as XLM-RoBERTa's; the fixture leaves out what another fixture has. */
export async function xlmRobertaModel(ids: "own" | "reindexed"): Promise<Uint8Array> {
  const charsmap = gunzipSync(await Deno.readFile(fixture("tokenizer/nmt_nfkc.charsmap.gz")));
  const model = await read(ids === "own" ? "unigram_xlmr" : "unigram_xlmr_reindexed");
  const spec = field(NORMALIZER_SPEC, field(PRECOMPILED_CHARSMAP, charsmap));
  return Uint8Array.from([...model, ...spec]);
}

/** What is needed of a tokenizer.json to write its vocabulary as a SentencePiece model. */
interface TokenizerJson {
  readonly model: {
    readonly type: string;
    readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
  };
  readonly added_tokens: readonly { readonly content: string; readonly special: boolean }[];
}

/** Field numbers and values of sentencepiece_model.proto. */
const PIECES = 1;
const TRAINER_SPEC = 2;
const PIECE = { piece: 1, scoreTag: 2 << 3 | 5, typeTag: 3 << 3 };
const TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4 };
const MODEL_TYPE_TAG = 3 << 3;
const MODEL_TYPES: Readonly<Record<string, number>> = { Unigram: 1, BPE: 2 };

/**
 * A SentencePiece model with the vocabulary of a tokenizer.json and the same ids. A BPE's scores
 * fall with the ids, as those of trained models do.
 */
export function spieceModelOf({ model, added_tokens }: TokenizerJson): Uint8Array {
  const added = new Map(added_tokens.map(({ content, special }) => [content, special]));
  const typeOf = (piece: string) => {
    if (piece === "<unk>") return TYPES.unknown;
    const special = added.get(piece);
    if (special === undefined) return TYPES.normal;
    return special ? TYPES.control : TYPES.userDefined;
  };
  const scores: readonly (readonly [string, number])[] = Array.isArray(model.vocab)
    ? model.vocab
    : Object.entries(model.vocab).sort((a, b) => a[1] - b[1]).map(([piece, id]) => [piece, -id]);
  const pieces = scores.map(([piece, score]) => {
    const float = new Uint8Array(Float32Array.of(score).buffer);
    const text = field(PIECE.piece, new TextEncoder().encode(piece));
    return field(
      PIECES,
      Uint8Array.from([...text, PIECE.scoreTag, ...float, PIECE.typeTag, typeOf(piece)]),
    );
  });
  const trainerSpec = Uint8Array.of(MODEL_TYPE_TAG, MODEL_TYPES[model.type]!);
  return Uint8Array.from([
    ...pieces.flatMap((bytes) => [...bytes]),
    ...field(TRAINER_SPEC, trainerSpec),
  ]);
}
