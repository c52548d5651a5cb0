/**
 * Where the parts of a checkpoint lie.
 *
 * @module
 */
import type { EachPart, ModelFamily, PartName } from "../../families/mod.ts";
import type { OpaqueEntry } from "../../safetensors/mod.ts";

/** The layouts that `findCheckpoint` knows. */
export type CheckpointLayout = typeof CHECKPOINT_LAYOUTS[number];

/** All layouts. */
export const CHECKPOINT_LAYOUTS = ["toolkit", "diffusers", "comfyui"] as const;

/** Where one part of the pipeline lies. */
export interface PartFiles {
  /** A safetensors file, or the folder with it or with its shards. */
  readonly weights: string;
  /** Its config.json; absent for a single file that stands alone. */
  readonly config?: string;
}

/** A tokenizer.json, the folder that holds it, or a SentencePiece model inside a weights file. */
export type TokenizerPlace = string | OpaqueEntry;

/** Where everything lies. */
export interface CheckpointFiles {
  readonly layout: CheckpointLayout;
  /** Whether the transformer is that of the small model that comes with the toolkit. */
  readonly isDemo: boolean;
  /**
   * Whose networks these are.
   *
   * @ignore
   */
  readonly family: ModelFamily;
  readonly transformer: PartFiles;
  readonly textEncoder: PartFiles;
  /** Absent where there is none; a transformer without CLIP conditioning needs none. */
  readonly clipModel?: PartFiles;
  readonly vae: PartFiles;
  /** The text encoder's tokenizer. */
  readonly tokenizer: TokenizerPlace;
  /** The CLIP model's tokenizer. */
  readonly clipTokenizer?: TokenizerPlace;
  /** scheduler_config.json, where there is one. */
  readonly scheduler?: string;
}

/** How to look for a checkpoint. */
export interface FindCheckpointOptions {
  /** Parts that are named: a safetensors file, an index or a folder each, in place of what is found. */
  readonly parts?: Partial<EachPart<string | undefined>> | undefined;
  /** Which of several copies of weights to take, as diffusers names them: `"fp16"`. */
  readonly variant?: string | undefined;
  /** The families that are looked for; all that the toolkit knows by default. */
  readonly families?: readonly ModelFamily[] | undefined;
}

/** Whether the CLIP model is needed, too, only the transformer's configuration tells. */
export const REQUIRED_PARTS: readonly PartName[] = ["transformer", "textEncoder", "vae"];

/** ComfyUI's text encoders carry their sentencepiece model as a tensor of bytes. */
export const COMFYUI_TOKENIZER_TENSOR = "spiece_model";
