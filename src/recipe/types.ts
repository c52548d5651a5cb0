/**
 * What a picture was made of.
 *
 * @module
 */
import type { CheckpointLayout } from "../pipeline/checkpoint/find_checkpoint.ts";
import type { GeneratorDevice, GeneratorOptions } from "../random/mod.ts";
import type { SchedulerName } from "../schedulers/mod.ts";

/** One network: which weights it ran with. */
export interface RecipeModel {
  /** What people call it: the weights' folder, or their file without its extension. */
  readonly name: string;
  /** What `hashWeights` says of the weights: 64 hexadecimal digits. */
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

/**
 * All that is needed to make a picture again. What it shares with `GenerateOptions` has the same
 * names and meanings there.
 */
export interface Recipe {
  /** As it was typed. */
  readonly prompt: string;
  readonly negativePrompt: string;
  /** Absent where the one of the prompt's kind was used. */
  readonly systemPrompt?: string;
  /** @default {false} */
  readonly raw?: boolean;
  /** The picture's own seed, and whose numbers were drawn with it. */
  readonly generator: GeneratorOptions & { readonly device: GeneratorDevice };
  readonly numInferenceSteps: number;
  readonly guidanceScale: number;
  readonly cfgTrunc: number;
  readonly renormCfg: number;
  /** @default {0} */
  readonly stepCache?: number;
  readonly scheduler: { readonly name: SchedulerName; readonly shift: number };
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  readonly models: RecipeModels;
  /** ONNX Runtime's execution provider, `"cpu"` or `"cuda"`; another one rounds differently. */
  readonly provider: string;
  /** The type of the arithmetic, such as `"float32"`. */
  readonly dtype: string;
  readonly versions: RecipeVersions;
}
