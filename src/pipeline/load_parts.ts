/**
 * From files to parts that can run: graphs are compiled, and everything that can be wrong with a
 * checkpoint is found before the first session exists.
 *
 * @module
 */
import { type ModelFamily, PART_NAMES, type PartName, type PartShape } from "../families/mod.ts";
import { type NextDiTConfig, pixelsPerLatent } from "../models/mod.ts";
import type { AdaptableParts } from "../adapters/mod.ts";
import type { DtypePolicy } from "../onnx/mod.ts";
import type { PromptEncoder } from "../prompt/mod.ts";
import type { SessionThread } from "../runtime/session_thread.ts";
import type { Scheduler } from "../schedulers/mod.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";
import { RequestError } from "../errors.ts";
import { ownWeights } from "./adapters/own_weights.ts";
import { PartAdapters } from "./adapters/part_adapters.ts";
import { compileParts } from "./_compile_parts.ts";
import {
  holdClipModel,
  holdTextEncoder,
  holdTransformer,
  holdVae,
  type PartLoading,
  vaeEncoder,
} from "./_hold_parts.ts";
import { PartThreads } from "./_part_threads.ts";
import {
  type OffloadMode,
  SEGMENTS,
  type SpareMemory,
  UPSCALER_BYTES,
} from "./checkpoint/memory.ts";
import { partShape } from "./checkpoint/part_needs.ts";
import { promptEncoders } from "./checkpoint/prompt_encoders.ts";
import type { CheckpointFiles } from "./checkpoint/types.ts";
import { type OpenedParts, openParts } from "./open_parts.ts";
import type { ClipModel } from "./parts/clip_model.ts";
import type { HeldPart } from "./parts/held_part.ts";
import type { TextEncoder } from "./parts/text_encoder.ts";
import type { Transformer } from "./parts/transformer.ts";
import type { Vae } from "./parts/vae.ts";

/** Everything a pipeline runs. */
export interface PipelineParts {
  /** The text encoders as a check of a prompt's length wants to know them. */
  readonly promptEncoders: readonly PromptEncoder[];
  readonly tokenizer: Tokenizer;
  readonly textEncoder: HeldPart<TextEncoder>;
  /** Absent in a model without CLIP conditioning. */
  readonly clip?: { readonly tokenizer: Tokenizer; readonly model: HeldPart<ClipModel> };
  readonly transformer: HeldPart<Transformer>;
  readonly vae: HeldPart<Vae>;
  readonly scheduler: Scheduler;
  readonly transformerConfig: NextDiTConfig;
  readonly vaeClassName: "AutoencoderKL" | "AutoencoderTiny";
  /** Pixels per latent. */
  readonly vaeScaleFactor: number;
  /** Throws what encoding a picture would: where the VAE is a decoder alone, for example. */
  readonly checkEncoder: () => void;
  /** What each part's memory depends on. */
  readonly sizes: readonly SizedPart[];
  readonly offload: OffloadMode;
  /** Whether a network that enlarges pictures may stay loaded. */
  readonly keepsUpscaler: boolean;
  /** The threads of the parts that have one of their own. */
  readonly threads: readonly SessionThread[];
  /** What adapters make of the parts in which they can change anything. */
  readonly adapters: ReadonlyMap<PartName, PartAdapters>;
  /** What they may change there. */
  readonly adaptable: AdaptableParts;
}

/** A part's size. */
export type SizedPart = PartShape & { readonly name: PartName };

/** How the parts are to run. */
export interface LoadPartsOptions {
  /** As {@linkcode permittedPolicy} gives it. */
  readonly policy: DtypePolicy;
  /** How many threads compute an operator. */
  readonly computeThreads: number;
  /** On CUDA the numbers of the GPUs; the first has all parts, the others the transformer's steps. */
  readonly deviceIds?: readonly [number, ...number[]];
  /** Decides which parts stay loaded. */
  readonly chooseOffload: (parts: readonly SizedPart[]) => OffloadMode;
  /** What they leave of the memory; where that is not known, it is taken for little. */
  readonly spare?: (parts: readonly SizedPart[], offload: OffloadMode) => SpareMemory | undefined;
  /** Is called when the VAE overflows in 16 bits and goes over to float32. */
  readonly onVaeFallback: () => void;
  /** Is called when our own operators cannot be used, with why. */
  readonly onOperatorFallback: (reason: string) => void;
  /** Throws when an adapter's file is no longer what it was. */
  readonly checkAdapters?: () => Promise<void>;
  /** What the parts take their threads from. */
  readonly threads?: PartThreads;
}

/**
 * Reads and compiles a checkpoint; the sessions are made when they are first used. ONNX Runtime is not
 * loaded before: whoever only checks a checkpoint needs none.
 *
 * @throws {CheckpointError} Naming every tensor of every part that does not fit.
 * @throws {RequestError} When products are to be in 8 bits and no matrix can be rounded, or there are
 *   several GPUs and the program may not start threads.
 * @throws As {@linkcode openParts} does.
 */
export async function loadParts(
  files: CheckpointFiles,
  options: LoadPartsOptions,
  opening: Promise<OpenedParts> = openParts(files),
): Promise<PipelineParts> {
  const { policy, computeThreads, chooseOffload, onVaeFallback, onOperatorFallback } = options;
  const { checkAdapters = () => Promise.resolve(), deviceIds = [0] } = options;
  const { threads = new PartThreads() } = options;
  const { family } = files;
  const opened = await opening;
  const { transformer, vae, tokenizer, clipTokenizer, scheduler } = opened;

  const sizes = sizesOf(opened, family);
  const offload = chooseOffload(sizes);
  const spare = options.spare?.(sizes, offload);
  const segments = offload === "sequential" ? SEGMENTS : 1;
  const graphs = compileParts(family, opened, policy, segments);
  const { steps } = graphs.transformer;
  if (policy.products !== undefined && steps.every((step) => step.ownMatrices === undefined)) {
    throw nothingToRound(transformer.weights.source);
  }
  const own = PART_NAMES.map((name) =>
    [name, opened[name] && ownWeights(family, name, opened[name].weights)] as const
  );
  const adaptable = Object.fromEntries(
    own.flatMap(([name, part]) => part === undefined ? [] : [[name, part.adaptable]]),
  ) as AdaptableParts;
  const adapters = new Map(own.map(([name, part]) => [name, new PartAdapters(part)]));

  const [deviceId] = deviceIds;
  const loading: PartLoading = {
    family,
    opened,
    graphs,
    adapters,
    place: { policy, computeThreads, deviceId, keep: offload === "none" },
    segments,
    resident: offload !== "sequential",
    checkAdapters,
    threads,
  };
  return {
    promptEncoders: promptEncoders({
      family,
      tokenizer,
      ...(clipTokenizer && { clipTokenizer }),
      textPlaces: transformer.config.axes_lens[0]!,
    }),
    tokenizer,
    scheduler,
    transformerConfig: transformer.config,
    vaeClassName: vae.config._class_name,
    vaeScaleFactor: pixelsPerLatent(vae.config),
    checkEncoder: () => void vaeEncoder(loading),
    sizes,
    offload,
    keepsUpscaler: offload === "none" && spare !== undefined && spare.bytes >= UPSCALER_BYTES,
    threads: threads.taken,
    adapters,
    adaptable,
    transformer: await holdTransformer(loading, deviceIds, onOperatorFallback),
    textEncoder: await holdTextEncoder(loading),
    vae: await holdVae(loading, spare?.fitsWhole, onVaeFallback),
    ...(clipTokenizer && {
      clip: { tokenizer: clipTokenizer, model: await holdClipModel(loading) },
    }),
  };
}

/** What each part's memory depends on. */
function sizesOf(opened: OpenedParts, family: ModelFamily): readonly SizedPart[] {
  return PART_NAMES.flatMap((name) => {
    const part = opened[name];
    if (part === undefined) return [];
    return [{ name, ...partShape(name, part.json, part.file, part.weights, family) }];
  });
}

/** For products in 8 bits of a transformer none of whose matrices can be rounded. */
function nothingToRound(source: string): RequestError {
  return new RequestError(
    `dtype is "int8", but no matrix of ${source} can be rounded to 8 bits when it is loaded: they are ` +
      "quantised already, or their rows are not whole groups of 64 values. Use another dtype.",
    {
      zh: `dtype 是 "int8"，但 ${source} 中没有可以在加载时舍入为 8 位的矩阵：它们已经量化，` +
        "或每行不是 64 个值的整数倍。请使用其他 dtype。",
    },
  );
}
