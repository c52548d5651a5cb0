/**
 * What a picture was made of.
 *
 * @module
 */
import type { Arithmetic } from "../machine/arithmetic.ts";
import type { CheckpointLayout } from "../pipeline/checkpoint/types.ts";
import type { UsedUpscaler } from "../pipeline/types.ts";
import type { RecipeSettings } from "../settings/mod.ts";

/** One network: which weights it ran with. */
export interface RecipeModel {
  /** What people call it: the weights' folder, or their file without its extension. */
  readonly name: string;
  /** What `hashWeights` says of the weights: 64 hexadecimal digits. */
  readonly sha256: string;
  /** The SHA-256 of its config.json; absent where it has none, and in the first recipes. */
  readonly config?: string;
  /**
   * The same of its tokenizer: of tokenizer.json, or of that and tokenizer_config.json together.
   * Absent where the weights hold it, and in the first recipes.
   */
  readonly tokenizer?: string;
}

/** An adapter that worked. */
export interface RecipeAdapter {
  /** Its file's name without the ending, or what it was called. */
  readonly name: string;
  /** How strongly it worked. */
  readonly weight: number;
  /** The same in the text encoders, where that differs. */
  readonly textWeight?: number;
  /** Its file's SHA-256. */
  readonly sha256: string;
}

/** The networks of a checkpoint. */
export interface RecipeModels {
  /** How the files lay. */
  readonly layout: CheckpointLayout;
  readonly transformer: RecipeModel;
  readonly textEncoder: RecipeModel;
  /** Absent where the checkpoint has none. */
  readonly clipModel?: RecipeModel;
  readonly vae: RecipeModel;
}

/** What the picture was computed with. */
export interface RecipeVersions {
  readonly toolkit: string;
  readonly deno: string;
  readonly onnxruntime: string;
}

/** The pictures that a picture was drawn from; `source` of the recipe says what was made of them. */
export interface RecipePictures {
  /** SHA-256 of the file, 64 hexadecimal digits. */
  readonly image: string;
  /** The same of the mask; absent where there is none. */
  readonly mask?: string;
  /** The size that was asked for before anything was added at the edges, where it was. */
  readonly width?: number;
  readonly height?: number;
}

/**
 * All that is needed to make a picture again: its settings, by the names and with the meanings that
 * they have in `GenerateOptions`, and what else decides how it comes out. A setting that was added
 * after the first recipes is absent where it changes nothing.
 */
export interface Recipe extends RecipeSettings {
  /** The template from which the prompt was drawn; absent where it was typed as it is. */
  readonly template?: string;
  /** The presets that had a part in the settings, by their names; the settings here are what counted. */
  readonly preset?: string;
  /** Of a sheet of pictures: which settings they differ in, the first picture's being this recipe's. */
  readonly grid?: string;
  /** Absent where it was drawn from noise. */
  readonly pictures?: RecipePictures;
  readonly models: RecipeModels;
  /** Absent where there were none. */
  readonly adapters?: readonly RecipeAdapter[];
  /** What enlarged it for the second drawing; absent where there was none, or no network. */
  readonly upscaler?: UsedUpscaler;
  /** ONNX Runtime's execution provider, `"cpu"` or `"cuda"`; another one rounds differently. */
  readonly provider: string;
  /** The type of the arithmetic, such as `"float32"`. */
  readonly dtype: string;
  readonly versions: RecipeVersions;
  /** How it rounded; absent in older recipes. Another processor may give other bits. */
  readonly arithmetic?: Arithmetic;
}
