/**
 * What goes into the pipeline and what comes out.
 *
 * @module
 */
import type { RgbImage } from "../image/mod.ts";
import type { Language } from "../language.ts";
import type { DeviceName, GpuCount } from "../machine/mod.ts";
import type { Dtype } from "../onnx/mod.ts";
import type { GeneratorOptions } from "../random/mod.ts";
import type { Scheduler, SchedulerName } from "../schedulers/mod.ts";
import type { AskedSettings, Settings } from "../settings/mod.ts";
import type { Tensor } from "../tensor.ts";
import type { LoadedAdapter } from "./adapters/types.ts";
import type { OffloadMode } from "./checkpoint/memory.ts";

/** How to load a pipeline. */
export interface PretrainedOptions {
  /**
   * Where to run. `"auto"` is CUDA when it works, else WebGPU where there is a card, else the CPU,
   * and the log says why; `"cuda"` needs ONNX Runtime's CUDA provider beside its binding, and fails
   * where it does not work. `"cuda:1"` is the second of the GPUs that CUDA shows to this program, after
   * CUDA_VISIBLE_DEVICES. On CUDA a program with `--allow-ffi` (no list) has the toolkit's own kernels,
   * which are faster.
   *
   * @default {"auto"}
   */
  readonly device?: DeviceName;
  /**
   * On CUDA, on how many GPUs to draw, from the device on. Each has the transformer; the text encoders
   * and the VAE are on the first. Of a picture with guidance, the prompt and the negative prompt are
   * computed at the same time, and several pictures of a call are drawn side by side. `"all"` is all
   * that are new enough. The pictures are those of one GPU, bit for bit, where the GPUs are of one kind.
   *
   * @default {1}
   */
  readonly gpus?: GpuCount;
  /**
   * The type of arithmetic. `"auto"` is float32 on the CPU, which has no other, bfloat16 on CUDA, and
   * on WebGPU float16 where the adapter has it, else float32. In float16 what is made of the text
   * stays in bfloat16, or on WebGPU in float32, whose range it needs. `"int8"`, on CUDA with the
   * toolkit's own kernels, rounds weights and activations of the transformer's layers to 8 bits for
   * their products; the rest is in bfloat16.
   *
   * @default {"auto"}
   */
  readonly dtype?: "auto" | Dtype;
  /**
   * `"none"` keeps every part loaded; `"model"` holds one part at a time, so that the peak is that
   * of the largest; `"sequential"` loads a sixth of the transformer's or Gemma's layers at a time,
   * again in every step. `"auto"` is the first of these that fits into what is free of the device's
   * memory; where that is not known, `"model"` on a GPU and `"none"` on the CPU.
   *
   * @default {"auto"}
   */
  readonly offload?: "auto" | OffloadMode;
  /**
   * How many threads compute on the CPU. By default one for each core that this program may use, after
   * affinity and the control group's quota. They are not bound to cores, and their number does not
   * change the picture.
   */
  readonly threads?: number | undefined;
  /**
   * The transformer's weights, where they are not to be looked for: a safetensors file, an index of
   * shards or a folder. Its config.json lies in the folder, or beside the file: `x.json` for
   * `x.safetensors`, else config.json. {@linkcode textEncoder}, {@linkcode clipModel} and
   * {@linkcode vae} likewise.
   */
  readonly transformer?: string | undefined;
  /** The text encoder's; with the tokenizer.json of its folder, where that has one. */
  readonly textEncoder?: string | undefined;
  /** The CLIP model's; with the tokenizer.json of its folder, where that has one. */
  readonly clipModel?: string | undefined;
  /** The VAE's. */
  readonly vae?: string | undefined;
  /**
   * Which of several copies of the weights to take, as diffusers names them: `"fp16"` is
   * `model.fp16.safetensors`. Parts that have no such copy are taken in full.
   */
  readonly variant?: string | undefined;
  /**
   * In which the log speaks.
   *
   * @default {"en"}
   */
  readonly language?: Language;
  /**
   * Whether weights that checksums.txt lists are read to their end even when `checksumCache` knows
   * them.
   *
   * @default {false}
   */
  readonly strict?: boolean;
  /**
   * A JSON file that remembers the checksums of weights by path, size, inode and times, so that they
   * are read once and not at every start. It is made when it is missing, and not believed where
   * others than its owner may write to it or its folder.
   */
  readonly checksumCache?: string;
  /**
   * Receives what a person should know about the loading, a line each.
   *
   * @default A line on the standard error
   */
  readonly log?: (line: string) => void;
}

/** Texts for {@linkcode NewBieImagePipeline.encodePrompt}. */
export interface PromptOptions extends Pick<AskedSettings, "systemPrompt" | "raw"> {
  /** One prompt, or several to be encoded as a batch. XML or plain text. */
  readonly prompt: string | readonly string[];
  /**
   * What the picture should not be; one for all prompts or one each.
   *
   * @default {""}
   */
  readonly negativePrompt?: string | readonly string[];
}

/** What the text encoders made of a batch of prompts. */
export interface PromptEmbeds {
  /** Gemma's features [B, L, D]; a prompt shorter than the longest is followed by zeros. */
  readonly promptEmbeds: Tensor;
  /** 1 where there is a token, 0 where there is none: [B, L]. */
  readonly promptAttentionMask: Tensor;
  /** Jina CLIP's pooled text [B, P]. */
  readonly pooledPromptEmbeds: Tensor;
  /** The same of the negative prompts. */
  readonly negativePromptEmbeds: Tensor;
  readonly negativePromptAttentionMask: Tensor;
  readonly negativePooledPromptEmbeds: Tensor;
}

/** The starting point of {@linkcode NewBieImagePipeline.prepareLatents}. */
export interface LatentsOptions {
  /**
   * How many samples.
   *
   * @default {1}
   */
  readonly batchSize?: number | undefined;
  /**
   * Pixels; a multiple of the VAE's factor times the transformer's patch, 16 for NewBie. By default
   * what the model was trained for.
   */
  readonly height?: number | undefined;
  /** Pixels; likewise. */
  readonly width?: number | undefined;
  /**
   * One generator draws the whole batch, as `torch.randn` does; several draw a sample each. By
   * default one with a random seed.
   */
  readonly generator?: GeneratorOptions | readonly GeneratorOptions[] | undefined;
  /** Given latents, [batchSize, C, height / factor, width / factor]: checked and returned. */
  readonly latents?: Tensor | undefined;
}

/** One forward pass of the transformer. */
export interface VelocityOptions {
  /** [B, C, H, W]. */
  readonly latents: Tensor;
  /** In [0, 1], 0 = noise; one for all samples or one each. */
  readonly timestep: number | ArrayLike<number>;
  /** [B, L, D], or [1, L, D] for all samples. */
  readonly promptEmbeds: Tensor;
  /** [B, P], or [1, P] for all samples; needed where the transformer has CLIP conditioning. */
  readonly pooledPromptEmbeds?: Tensor;
  /** [B, L] or [1, L]; all ones when absent. */
  readonly promptAttentionMask?: Tensor;
}

/** A step of one picture's sampling. */
export interface StepInfo {
  /** Which step, from 0 to `total` − 1. */
  readonly index: number;
  readonly total: number;
  /** The time at which the step began, in [0, 1], 0 = noise. */
  readonly timestep: number;
  /** The time at which it ended, which is the time of `latents`. */
  readonly nextTimestep: number;
  /** The latents after the step [1, C, H, W]; not to be changed. */
  readonly latents: Tensor;
  /** Which picture of this call, from 0. */
  readonly imageIndex: number;
  readonly imageCount: number;
}

/** Settings of which a call has one for all its pictures. */
export type SharedSettings = Omit<
  AskedSettings,
  keyof PromptOptions | "generator" | "scheduler" | "source"
>;

/** A request for pictures. What is left out of it, {@linkcode SETTINGS} and the model decide. */
export interface GenerateOptions
  extends Omit<PromptOptions, "prompt">, Partial<PromptEmbeds>, SharedSettings {
  /** One prompt, or several, XML or plain text; absent where `promptEmbeds` are given. */
  readonly prompt?: string | readonly string[];
  /**
   * A picture to start from: decoded, or [B, 3, H, W] in −1…1, or a list; one for all pictures, one
   * for each prompt or one for each picture. The new ones have its size. `strength` says how far they
   * go from it, and `latents` are the noise.
   */
  readonly image?: Tensor | RgbImage | readonly RgbImage[];
  /**
   * Where the picture is drawn anew: white, or 1 in [B, 1, H, W]. What is black stays, in every step
   * at that step's noise. Of the picture's size.
   */
  readonly maskImage?: Tensor | RgbImage;
  /**
   * A sampler, or the name of one, or its name and shift; by default the checkpoint's own, else
   * Euler with shift 6.
   */
  readonly scheduler?: SchedulerName | NonNullable<AskedSettings["scheduler"]> | Scheduler;
  /**
   * Where the noise comes from. With one generator, picture i of the call has the seed
   * `seed + i`, so that each can be made again alone; with several, each picture has its own. By
   * default a random seed.
   */
  readonly generator?: GeneratorOptions | readonly GeneratorOptions[];
  /** Noise to start from instead, [pictures, C, H, W]. */
  readonly latents?: Tensor;
  /** @default {1} */
  readonly numImagesPerPrompt?: number;
  /**
   * Whether to decode the latents to pictures.
   *
   * @default {"image"}
   */
  readonly outputType?: "image" | "latent";
  /** Called, and waited for, after each step. */
  readonly onStep?: (step: StepInfo) => void | Promise<void>;
  /** Stops the work between two steps; what `generate` throws then is the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What each stage of a call took, in milliseconds. */
export interface Timings {
  /** Tokenizers and text encoders, and loading them where they were not. */
  readonly encode: number;
  /** The sampler's steps. */
  readonly denoise: number;
  /** The VAE. */
  readonly decode: number;
  readonly total: number;
}

/**
 * What a call was made with: every setting that was asked for or left open, with its value. Given to
 * `generate` again, they make the same pictures.
 */
export interface CallSettings
  extends Omit<Settings, "prompt" | "negativePrompt" | "generator" | "source"> {
  /** Absent when `promptEmbeds` were given. */
  readonly prompt?: string | readonly string[];
  /** Absent when `negativePromptEmbeds` were given. */
  readonly negativePrompt?: string | readonly string[];
  /** Absent when the noise was given. */
  readonly generator?: GeneratorOptions | readonly GeneratorOptions[];
  readonly numImagesPerPrompt: number;
}

/** A network that enlarged a picture. */
export interface UsedUpscaler {
  /** Its name in models/upscaler, or the way to its file from here, or that file's name alone. */
  readonly name: string;
  /** Its file's SHA-256. */
  readonly sha256: string;
}

/** The result of a call. */
export interface GenerateResult<Image = RgbImage> {
  /** The pictures, `numImagesPerPrompt` for each prompt in turn; or latents [1, C, H, W]. */
  readonly images: readonly Image[];
  /** The seed of each picture; empty when the noise was given. */
  readonly seeds: readonly (number | bigint)[];
  /**
   * How often the samplers asked for a velocity, which with guidance takes two passes of the
   * transformer, and how many of the answers the step cache predicted.
   */
  readonly evaluations: { readonly total: number; readonly foretold: number };
  readonly timings: Timings;
  /** The adapters that worked, with their weights. */
  readonly adapters: readonly LoadedAdapter[];
  /** The network that enlarged them for the second drawing; absent where none did. */
  readonly upscaler?: UsedUpscaler;
  /** What the pictures were made with, defaults included. */
  readonly settings: CallSettings;
}
