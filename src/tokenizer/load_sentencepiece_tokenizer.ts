import type { Texts } from "../language.ts";
import { createTokenizer, type JsonObject, reason } from "./_create_tokenizer.ts";
import { deriveMerges } from "./_merges.ts";
import {
  ModelType,
  parseSentencePieceModel,
  PieceType,
  type SentencePiece,
  type SentencePieceModel,
} from "./_sentencepiece_model.ts";
import { type Tokenizer, TokenizerError } from "./types.ts";

/** Whose tokenizer a SentencePiece model is: the file itself does not say. */
export type SentencePieceKind = "gemma3" | "xlm-roberta";

/** SentencePiece writes spaces as this character. */
const WORD_MARK = "▁";

/** What Gemma's texts begin with. */
const BEGIN = "<bos>";

/** XLM-RoBERTa's own ids, in their order; fairseq put them where SentencePiece has three others. */
const XLM_ROBERTA_SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"];
/** What stands there in a model as SentencePiece trained it. */
const SENTENCEPIECE_SPECIALS = ["<unk>", "<s>", "</s>"];
const MASK = "<mask>";

/**
 * Loads a tokenizer from a SentencePiece model: the bytes of a `tokenizer.model`, or of the tensor
 * `spiece_model` that ComfyUI's text encoders carry.
 *
 * The result is what transformers' converters for the two architectures (`GemmaConverter`,
 * `XLMRobertaConverter`) would make of the file. It gives the ids of the sentencepiece library
 * except for text that spells a special token, which sentencepiece takes for plain text. With
 * XLM-RoBERTa there are two more exceptions: a U+0085 at the end of a text is dropped, and Rust's
 * `tokenizers`, behind which the encoder was trained, apply the character map by grapheme clusters.
 *
 * A model for XLM-RoBERTa may have SentencePiece's own ids, as the published
 * `sentencepiece.bpe.model` does, and is then given the encoder's (`<s>` 0, `<pad>` 1, `</s>` 2,
 * `<unk>` 3, every other one higher, `<mask>` last). A model that begins with those four, which
 * ComfyUI needs, keeps its ids.
 *
 * @param bytes A serialised `ModelProto`.
 * @param kind The architecture that the model was trained for.
 * @param source What messages call the model: the file that it is from.
 * @throws {TokenizerError} When the bytes are no SentencePiece model, or one of another kind.
 *
 * @example
 * ```ts
 * const path = "tests/fixtures/tokenizer/bpe_gemma.spiece.model";
 * const tokenizer = loadSentencePieceTokenizer(await Deno.readFile(path), "gemma3", path);
 * tokenizer.encode("1girl, blue_hair"); // Int32Array [2, …], starting with <bos>
 * ```
 */
export function loadSentencePieceTokenizer(
  bytes: Uint8Array,
  kind: SentencePieceKind,
  source: string,
): Tokenizer {
  const model = parse(bytes, source);
  const [expected, define] = kind === "gemma3"
    ? [ModelType.bpe, gemma3] as const
    : [ModelType.unigram, xlmRoberta] as const;
  if (model.modelType !== expected) throw wrongModel(source, kind);
  return createTokenizer(define(model, source), {}, source);
}

function parse(bytes: Uint8Array, source: string): SentencePieceModel {
  const damaged = ({ en, zh }: Texts<string>, options?: ErrorOptions) =>
    new TokenizerError(
      source,
      `The SentencePiece model in ${source} ${en}. Copy the file again, or put the model's ` +
        "tokenizer.json beside it.",
      {
        ...options,
        zh: `${source} 里的 SentencePiece 模型${zh}。请重新复制该文件，` +
          "或把模型的 tokenizer.json 放在它旁边。",
      },
    );
  let model: SentencePieceModel;
  try {
    model = parseSentencePieceModel(bytes);
  } catch (cause) {
    const why = reason(cause);
    throw damaged({ en: `is damaged: ${why}`, zh: `已损坏：${why}` }, { cause });
  }
  if (model.pieces.length === 0) throw damaged({ en: "has no pieces", zh: "没有任何词" });
  return model;
}

function wrongModel(source: string, kind: SentencePieceKind): TokenizerError {
  const [theirs, own] = [SENTENCEPIECE_SPECIALS.join(", "), XLM_ROBERTA_SPECIALS.join(", ")];
  const expected = kind === "gemma3"
    ? {
      en: `Gemma 3 needs a BPE model with the pieces ${BEGIN} and <unk>`,
      zh: `Gemma 3 需要含有 ${BEGIN} 和 <unk> 的 BPE 模型`,
    }
    : {
      en: `XLM-RoBERTa needs a Unigram model that begins with ${theirs}, or with ${own}`,
      zh: `XLM-RoBERTa 需要以 ${theirs} 或 ${own} 开头的 Unigram 模型`,
    };
  return new TokenizerError(
    source,
    `The SentencePiece model in ${source} is another one's: ${expected.en}. Use the file that was ` +
      "published for that encoder, or put its tokenizer.json beside it.",
    {
      zh: `${source} 里的 SentencePiece 模型属于别的编码器：${expected.zh}。` +
        "请使用为该编码器发布的文件，或把它的 tokenizer.json 放在旁边。",
    },
  );
}

function gemma3({ pieces }: SentencePieceModel, source: string): JsonObject {
  const idOf = new Map(pieces.map(({ piece }, id) => [piece, id]));
  const unknown = pieces.find(({ type }) => type === PieceType.unknown);
  if (!idOf.has(BEGIN) || unknown === undefined) throw wrongModel(source, "gemma3");
  return {
    added_tokens: pieces.flatMap((piece, id) => isAdded(piece) ? [addedToken(piece, id)] : []),
    normalizer: { type: "Replace", pattern: { String: " " }, content: WORD_MARK },
    pre_tokenizer: {
      type: "Split",
      pattern: { String: " " },
      behavior: "MergedWithPrevious",
      invert: false,
    },
    post_processor: frame([BEGIN], []),
    model: {
      type: "BPE",
      vocab: Object.fromEntries(idOf),
      merges: deriveMerges(pieces),
      unk_token: unknown.piece,
      fuse_unk: true,
      byte_fallback: true,
    },
  };
}

function xlmRoberta(model: SentencePieceModel, source: string): JsonObject {
  const pieces = xlmRobertaPieces(model.pieces);
  if (pieces === undefined) throw wrongModel(source, "xlm-roberta");
  const stages = [
    { type: "Strip", strip_left: false, strip_right: true },
    { type: "Replace", pattern: { Regex: " {2,}" }, content: WORD_MARK },
  ];
  const precompiled_charsmap = model.precompiledCharsmap.toBase64();
  const charsmap = { type: "Precompiled", precompiled_charsmap };
  return {
    added_tokens: pieces.flatMap((piece, id) =>
      isAdded(piece) ? [addedToken(piece, id, piece.piece === MASK)] : []
    ),
    normalizer: {
      type: "Sequence",
      normalizers: precompiled_charsmap === "" ? stages : [charsmap, ...stages],
    },
    pre_tokenizer: {
      type: "Metaspace",
      replacement: WORD_MARK,
      prepend_scheme: "always",
      split: true,
    },
    post_processor: frame(["<s>"], ["</s>"]),
    model: {
      type: "Unigram",
      unk_id: XLM_ROBERTA_SPECIALS.indexOf("<unk>"),
      vocab: pieces.map(({ piece, score }) => [piece, score]),
    },
  };
}

/** The pieces by the encoder's ids; undefined when the model begins with others than it should. */
function xlmRobertaPieces(pieces: readonly SentencePiece[]): readonly SentencePiece[] | undefined {
  const begins = (names: readonly string[]) =>
    names.every((name, id) => pieces[id]?.piece === name);
  const skipped = [XLM_ROBERTA_SPECIALS, SENTENCEPIECE_SPECIALS].find(begins)?.length;
  if (skipped === undefined) return undefined;
  const special = (piece: string): SentencePiece => ({ piece, score: 0, type: PieceType.control });
  const others = pieces.slice(skipped);
  const mask = others.some(({ piece }) => piece === MASK) ? [] : [special(MASK)];
  return [...XLM_ROBERTA_SPECIALS.map(special), ...others, ...mask];
}

const isAdded = ({ type }: SentencePiece) =>
  type === PieceType.control || type === PieceType.userDefined || type === PieceType.unknown;

function addedToken({ piece, type }: SentencePiece, id: number, lstrip = false): JsonObject {
  return {
    id,
    content: piece,
    special: type !== PieceType.userDefined,
    normalized: false,
    single_word: false,
    lstrip,
    rstrip: false,
  };
}

/** A post-processor that puts special tokens before and after every text. */
function frame(before: readonly string[], after: readonly string[]): JsonObject {
  const tokens = (names: readonly string[]) =>
    names.map((id) => ({ SpecialToken: { id, type_id: 0 } }));
  const text = { Sequence: { id: "A", type_id: 0 } };
  return {
    type: "TemplateProcessing",
    single: [...tokens(before), text, ...tokens(after)],
    pair: [],
    special_tokens: {},
  };
}
