/**
 * The parts of SentencePiece's `ModelProto` that a tokenizer is built from; field numbers and
 * defaults are those of sentencepiece_model.proto.
 *
 * @module
 */
import protobuf from "protobufjs";

/** What `trainer_spec.model_type` says. */
export const ModelType = { unigram: 1, bpe: 2 } as const;

/** What a piece is for. */
export const PieceType = { normal: 1, unknown: 2, control: 3, userDefined: 4 } as const;

export interface SentencePiece {
  readonly piece: string;
  readonly score: number;
  /** One of {@linkcode PieceType}, or a kind that encoders do not use. */
  readonly type: number;
}

export interface SentencePieceModel {
  readonly pieces: readonly SentencePiece[];
  /** One of {@linkcode ModelType}, or a kind that no text encoder here uses. */
  readonly modelType: number;
  /** Empty when text is taken as it is. */
  readonly precompiledCharsmap: Uint8Array;
}

const modelProto = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        pieces: { rule: "repeated", type: "SentencePiece", id: 1 },
        trainerSpec: { type: "TrainerSpec", id: 2 },
        normalizerSpec: { type: "NormalizerSpec", id: 3 },
      },
    },
    SentencePiece: {
      fields: {
        piece: { type: "string", id: 1 },
        score: { type: "float", id: 2 },
        type: { type: "int32", id: 3, options: { default: PieceType.normal } },
      },
    },
    TrainerSpec: {
      fields: {
        modelType: { type: "int32", id: 3, options: { default: ModelType.unigram } },
      },
    },
    NormalizerSpec: {
      fields: { precompiledCharsmap: { type: "bytes", id: 2 } },
    },
  },
}).lookupType("ModelProto");

interface Decoded {
  readonly pieces: readonly SentencePiece[];
  readonly trainerSpec: { readonly modelType: number } | null;
  readonly normalizerSpec: { readonly precompiledCharsmap: Uint8Array } | null;
}

/** @throws {Error} When the bytes are no such message, or a score is no number. */
export function parseSentencePieceModel(bytes: Uint8Array): SentencePieceModel {
  const { pieces, trainerSpec, normalizerSpec } = modelProto.decode(bytes) as unknown as Decoded;
  const unordered = pieces.findIndex(({ score }) => Number.isNaN(score));
  if (unordered !== -1) throw new RangeError(`the score of piece ${unordered} is no number`);
  return {
    pieces,
    modelType: trainerSpec?.modelType ?? ModelType.unigram,
    precompiledCharsmap: Uint8Array.from(normalizerSpec?.precompiledCharsmap ?? []),
  };
}
