/**
 * From files to parts that can run: configurations are read, graphs compiled, and everything that
 * can be wrong with a checkpoint is found before the first session exists.
 *
 * @module
 */
import { compileVae, parseVaeConfig, pixelsPerLatent } from "../models/autoencoder.ts";
import { parseGemma3Config } from "../models/gemma3.ts";
import { parseJinaClipConfig } from "../models/jina_clip.ts";
import { compileNextDiT } from "../models/next_dit.ts";
import { type NextDiTConfig, parseNextDiTConfig } from "../models/next_dit_config.ts";
import type { DtypePolicy } from "../onnx/mod.ts";
import type { PromptEncoder } from "../prompt/mod.ts";
import { createScheduler, type Scheduler, schedulerFromConfig } from "../schedulers/mod.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";
import type { SessionHost } from "../runtime/session.ts";
import type { SessionThread } from "../runtime/session_thread.ts";
import { Component } from "./parts/component.ts";
import { compileParts } from "./_compile_parts.ts";
import { expectFit } from "./_fit.ts";
import {
  type CheckpointFiles,
  CheckpointNotFoundError,
  type Role,
} from "./checkpoint/find_checkpoint.ts";
import { type OpenedPart, openPart, readConfig } from "./checkpoint/open_part.ts";
import type { ClipModel } from "./parts/clip_model.ts";
import { type OffloadMode, type PartShape, SEGMENTS } from "./checkpoint/memory.ts";
import { openTokenizer } from "./checkpoint/open_tokenizer.ts";
import { partShape } from "./checkpoint/part_needs.ts";
import { permittedPolicy } from "./parts/permitted_policy.ts";
import { promptEncoders } from "./checkpoint/prompt_encoders.ts";
import type { TextEncoder } from "./parts/text_encoder.ts";
import type { Transformer } from "./parts/transformer.ts";
import type { VaeDecoder } from "./parts/vae.ts";

/** Everything a pipeline runs. */
export interface Components {
  /** The text encoders as a check of a prompt's length wants to know them. */
  readonly promptEncoders: readonly PromptEncoder[];
  readonly tokenizer: Tokenizer;
  readonly textEncoder: Component<TextEncoder>;
  /** Absent in a model without CLIP conditioning. */
  readonly clip?: { readonly tokenizer: Tokenizer; readonly model: Component<ClipModel> };
  readonly transformer: Component<Transformer>;
  readonly vae: Component<VaeDecoder>;
  readonly scheduler: Scheduler;
  readonly transformerConfig: NextDiTConfig;
  readonly vaeClassName: "AutoencoderKL" | "AutoencoderTiny";
  /** Pixels per latent. */
  readonly vaeScaleFactor: number;
  /** What each part's memory depends on. */
  readonly parts: readonly SizedPart[];
  readonly offload: OffloadMode;
  /** The threads of the parts that have one of their own. */
  readonly threads: readonly SessionThread[];
}

/** A part's size. */
export type SizedPart = PartShape & { readonly role: Role };

/** How the parts are to run. */
export interface ComponentOptions {
  readonly policy: DtypePolicy;
  /** Decides which parts stay loaded. */
  readonly chooseOffload: (parts: readonly SizedPart[]) => OffloadMode;
  /** Is called when the VAE overflows in 16 bits and goes over to float32. */
  readonly onVaeFallback: () => void;
  /** Is called when our own operators cannot be used, with why. */
  readonly onOperatorFallback: (reason: string) => void;
}

/**
 * Reads and compiles a checkpoint; the sessions are made when they are first used.
 *
 * @throws {CheckpointNotFoundError} When the transformer has CLIP conditioning and there is no CLIP
 *   model, or a config.json is missing.
 * @throws {CheckpointError} Naming every tensor of every part that does not fit.
 * @throws {ConfigError} When a config.json is wrong, or two parts do not fit each other.
 * @throws {SafetensorsError} When a weights file is damaged.
 * @throws {TokenizerError} When a tokenizer cannot be read.
 */
export async function loadComponents(
  files: CheckpointFiles,
  { policy: wanted, chooseOffload, onVaeFallback, onOperatorFallback }: ComponentOptions,
): Promise<Components> {
  const policy = await permittedPolicy(wanted);
  const [dit, gemma, autoencoder, tokenizer, scheduler] = await Promise.all([
    openPart(files.transformer),
    openPart(files.textEncoder),
    openPart(files.vae),
    openTokenizer(files.tokenizer, "gemma3"),
    loadScheduler(files.scheduler),
  ]);
  const transformer = stated(dit, parseNextDiTConfig(dit.json ?? {}, dit.file, dit.weights));
  const textEncoder = stated(gemma, parseGemma3Config(gemma.json, gemma.file, gemma.weights));
  const vae = stated(
    autoencoder,
    parseVaeConfig(autoencoder.json, autoencoder.file, autoencoder.weights),
  );
  const clip = transformer.config.clip_text_dim === undefined
    ? undefined
    : await openClip(files, transformer.file);
  const clipModel = clip?.model;
  const opened = { transformer, textEncoder, ...(clipModel && { clipModel }), vae };
  expectFit(opened);

  const parts = Object.entries(opened).map(([name, { json, file, weights }]): SizedPart => {
    const role = name as Role;
    return { role, ...partShape(role, json, file, weights) };
  });
  const offload = chooseOffload(parts);
  const segments = offload === "sequential" ? SEGMENTS : 1;
  const graphs = compileParts(opened, policy, segments);
  let compiledTransformer = { policy, graphs: graphs.transformer };

  // ONNX Runtime is not loaded before a session is made: whoever only checks a checkpoint needs none.
  const { device } = policy;
  const threads: SessionThread[] = [];
  const keep = offload === "none";
  // On a GPU a thread has little to do but to wait, so that each part can have one. The transformer
  // stays here: it is asked again and again, and what goes to a thread is copied.
  const threaded = async <T extends AsyncDisposable>(
    { check }: OpenedPart,
    load: (host: SessionHost | undefined) => Promise<T>,
  ) => {
    const thread = device === "cpu" ? undefined : await openThread();
    if (thread !== undefined) threads.push(thread);
    return new Component(() => load(thread), check, keep, thread);
  };
  const hold = { device, resident: offload !== "sequential" };
  const exactPolicy: DtypePolicy = { ...policy, convolution: "float32" };
  const fallback = policy.convolution === "float32" ? undefined : {
    exactGraphs: () => compileVae(vae.config, vae.weights, exactPolicy),
    onUse: onVaeFallback,
  };
  return {
    promptEncoders: promptEncoders({
      tokenizer,
      ...(clip === undefined ? {} : { clipTokenizer: clip.tokenizer }),
      textPlaces: transformer.config.axes_lens[0]!,
    }),
    tokenizer,
    scheduler,
    transformerConfig: transformer.config,
    vaeClassName: vae.config._class_name,
    vaeScaleFactor: pixelsPerLatent(vae.config),
    parts,
    offload,
    threads,
    transformer: new Component(
      async () => {
        const { loadTransformer } = await import("./parts/load_transformer.ts");
        // What another policy had to take the place of stays replaced when the part is loaded again.
        const compiled = (policy: DtypePolicy) => {
          if (policy !== compiledTransformer.policy) {
            const { config, weights } = transformer;
            const graphs = compileNextDiT(config, weights, policy, segments);
            compiledTransformer = { policy, graphs };
          }
          return compiledTransformer.graphs;
        };
        const { resident } = hold;
        const options = { policy: compiledTransformer.policy, resident, onOperatorFallback };
        return await loadTransformer(transformer.config, compiled, options);
      },
      transformer.check,
      keep,
    ),
    textEncoder: await threaded(textEncoder, async (host) => {
      const { TextEncoder } = await import("./parts/text_encoder.ts");
      return await TextEncoder.create(textEncoder.config, graphs.textEncoder, { ...hold, host });
    }),
    vae: await threaded(vae, async (host) => {
      const { VaeDecoder } = await import("./parts/vae.ts");
      return await VaeDecoder.create(vae.config, graphs.vae, device, {
        fallback,
        host,
        warmUpSize: keep && host !== undefined ? transformer.config.sample_size : undefined,
      });
    }),
    ...(clip === undefined ? {} : {
      clip: {
        tokenizer: clip.tokenizer,
        model: await threaded(clip.model, async (host) => {
          const { ClipModel } = await import("./parts/clip_model.ts");
          return await ClipModel.create(clip.model.config, graphs.clipModel!, device, host);
        }),
      },
    }),
  };
}

/** An opened part with its configuration, parsed. */
function stated<Config>(
  part: OpenedPart,
  config: Config,
): OpenedPart & { readonly config: Config } {
  return { ...part, config };
}

async function openThread(): Promise<SessionThread | undefined> {
  const { SessionThread } = await import("../runtime/session_thread.ts");
  return await SessionThread.open();
}

async function openClip({ clipModel, clipTokenizer }: CheckpointFiles, transformer: string) {
  if (clipModel === undefined || clipTokenizer === undefined) {
    throw new CheckpointNotFoundError(
      `The transformer (${transformer}) has CLIP conditioning, but there is no CLIP model with it. ` +
        "README.md lists the files and where to put them.",
      {
        zh: `Transformer（${transformer}）需要 CLIP 条件，但没有随附的 CLIP 模型。` +
          "README.zh-CN.md 列出了所需文件及其位置。",
      },
    );
  }
  const opened = await openPart(clipModel);
  const { json, file, weights } = opened;
  const model = stated(opened, parseJinaClipConfig(json, file, weights));
  return { model, tokenizer: await openTokenizer(clipTokenizer, "xlm-roberta") };
}

async function loadScheduler(file: string | undefined): Promise<Scheduler> {
  return file === undefined
    ? createScheduler("euler")
    : schedulerFromConfig(await readConfig(file), file);
}
