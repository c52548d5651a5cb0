/**
 * What a model family states.
 *
 * @module
 */
import type {
  AdaptableModules,
  DecoderGraphs,
  EncoderGraphs,
  Gemma3Config,
  Gemma3Graphs,
  JinaClipConfig,
  JinaClipGraph,
  Naming,
  NextDiTConfig,
  NextDiTGraphs,
  VaeConfig,
} from "../models/mod.ts";
import type { Adaptation, DtypePolicy } from "../onnx/mod.ts";
import type { PromptKind } from "../prompt/mod.ts";
import type { Weights } from "../safetensors/mod.ts";
import type { SentencePieceKind } from "../tokenizer/mod.ts";
import type { EachPart, PartName } from "./parts.ts";

/** A network: how its files are known, read and compiled. */
export interface Network<Config, Graphs> {
  /** How its tensors are named in a file, whatever stands before them; undefined without it. */
  readonly names: (weights: Weights) => Naming | undefined;
  /**
   * Completes a configuration.
   *
   * @param json The parsed config.json; absent when there is none: then the weights tell.
   * @param file Its path, for messages.
   * @throws {ConfigError} When a key has a wrong value.
   */
  readonly parse: (json: unknown, file: string, weights: Weights) => Config;
  /**
   * Compiles the network over its weights.
   *
   * @param segments How many graphs to cut it into, where it can be cut.
   * @param adaptation What adapters change, where the network can have any.
   * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
   */
  readonly compile: (
    config: Config,
    weights: Weights,
    policy: DtypePolicy,
    segments?: number,
    adaptation?: Adaptation,
  ) => Graphs;
  /** What adapters may change in it; absent where they may change nothing. */
  readonly adaptable?: AdaptableModules;
}

/** A text encoder, as far as prompts and their tokens go. */
export interface Encoder {
  /** What messages call it. */
  readonly name: string;
  /** Tokens that it is given at most, special ones included. */
  readonly maxTokens: number;
  /** Whose tokenizer it has, which a SentencePiece model does not say. */
  readonly tokenizer: SentencePieceKind;
}

/** The decoders, by the names of diffusers. */
export type DecoderKind = VaeConfig["_class_name"];

/** What a part's memory depends on. */
export interface PartShape {
  /** Values of the weights that the graphs use, those of quantised matrices aside. */
  readonly deviceParameters: number;
  /** Bytes of quantised matrices, which stay as they are. */
  readonly quantizedBytes?: number;
  /** Of `deviceParameters`, those of matrices that `--dtype int8` keeps in 8 bits. */
  readonly int8Parameters?: number;
  /** Of a transformer: whether it has CLIP conditioning. */
  readonly needsClip?: boolean;
  /** Of a part that works on tokens. */
  readonly sequence?: {
    readonly tokens: number;
    /** How many of them are the picture's, at the size that the transformer was trained for. */
    readonly imageTokens?: number;
    readonly width: number;
    readonly heads: number;
    /** Whether each token sees only those before it. */
    readonly causal?: boolean;
  };
  /** Of the decoder: its kind, and the channels of its widest map of the picture's size. */
  readonly picture?: { readonly kind: DecoderKind; readonly channels: number };
  /** Of the transformer: the side, in latents, of what it was trained for. */
  readonly sampleSize?: number;
  /** Of the decoder: pixels along a side for each latent. */
  readonly pixelsPerLatent?: number;
}

/** A part of the published model: what it takes when it is not there to be measured. */
export interface PublishedPart extends PartShape {
  readonly name: PartName;
  /** Bytes of its files, with what in them is not used. */
  readonly bytes: number;
  /** Values of the network, those that never reach a device included. */
  readonly parameters: number;
}

/**
 * Networks that were trained together, and what is peculiar to them. A family is one file of this
 * folder and one line of mod.ts.
 */
export interface ModelFamily {
  readonly name: string;
  readonly networks: {
    readonly transformer: Network<NextDiTConfig, NextDiTGraphs>;
    readonly textEncoder: Network<Gemma3Config, Gemma3Graphs>;
    readonly clipModel: Network<JinaClipConfig, JinaClipGraph>;
    readonly vae: Network<VaeConfig, DecoderGraphs> & {
      /**
       * Compiles the encoder, of which config.json says more than the configuration holds.
       *
       * @throws {RequestError} When the file has a decoder alone.
       */
      readonly compileEncoder: (
        config: VaeConfig,
        json: unknown,
        file: string,
        weights: Weights,
        policy: DtypePolicy,
      ) => EncoderGraphs;
    };
  };
  readonly encoders: Readonly<Record<"textEncoder" | "clipModel", Encoder>>;
  /** What the text encoder reads before a prompt of each kind, as in training; ends with a space. */
  readonly systemPrompts: Readonly<Record<PromptKind, string>>;
  /** Where its parts lie. */
  readonly slots: {
    /** Below `models/`, in the toolkit's own layout. */
    readonly toolkit: EachPart<string>;
    /** Of the small model that comes with the toolkit, below `models/demo/`; absent without one. */
    readonly demo?: EachPart<string>;
    /** In a Hugging Face pipeline folder; the first that is there. */
    readonly diffusers: EachPart<readonly string[]>;
    /** The same of the encoders' tokenizers; without any, they lie beside their encoder. */
    readonly tokenizers: Readonly<Record<"textEncoder" | "clipModel", readonly string[]>>;
  };
  /** What is published. */
  readonly published: {
    /** Width and height of the pictures that it was trained for. */
    readonly pictureSize: number;
    readonly parts: readonly PublishedPart[];
  };
}
