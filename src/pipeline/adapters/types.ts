/**
 * Adapters as a pipeline has them.
 *
 * @module
 */
import type { AdapterFormat } from "../../adapters/mod.ts";
import type { PartName } from "../../families/mod.ts";

/** A weight of an adapter: one for the whole model, or others for the text encoders. */
export type AdapterWeight = number | {
  readonly transformer: number;
  /** For both text encoders. */
  readonly textEncoder: number;
};

/** How {@linkcode NewBieImagePipeline.loadLoraWeights} loads an adapter. */
export interface LoadLoraOptions {
  /** What it is called afterwards; by default its file's name without the ending. */
  readonly adapterName?: string;
  /**
   * Its weight to begin with.
   *
   * @default {1}
   */
  readonly weight?: AdapterWeight;
}

/** An adapter that is loaded. */
export interface LoadedAdapter {
  readonly name: string;
  /** How strongly it works: 1 as it was trained, 0 not at all; it may be negative. */
  readonly weight: number;
  /** The weight in the text encoders. */
  readonly textWeight: number;
  /** Its safetensors file. */
  readonly file: string;
  /** The file's SHA-256, 64 hexadecimal digits. */
  readonly sha256: string;
  readonly format: AdapterFormat;
  /** The parts of the model that it changes. */
  readonly parts: readonly PartName[];
  /** Words that call up what it was trained for, where the file states them. */
  readonly triggerWords: readonly string[];
}
