/**
 * From files to parts that can run: configurations are read, graphs compiled, and everything that
 * can be wrong with a checkpoint is found before the first session exists.
 *
 * @module
 */
import { ConfigError } from "../errors.ts";
import { compileVae, parseVaeConfig, pixelsPerLatent } from "../models/autoencoder.ts";
import { compileGemma3, parseGemma3Config } from "../models/gemma3.ts";
import { compileJinaClip, parseJinaClipConfig } from "../models/jina_clip.ts";
import { compileNextDiT } from "../models/next_dit.ts";
import { type NextDiTConfig, parseNextDiTConfig } from "../models/next_dit_config.ts";
import { CheckpointError, type DtypePolicy } from "../onnx/mod.ts";
import { openWeights, SafetensorsError, type Weights } from "../safetensors/mod.ts";
import type { PromptEncoder } from "../prompt/mod.ts";
import { createScheduler, type Scheduler, schedulerFromConfig } from "../schedulers/mod.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";
import type { SessionHost } from "../runtime/session.ts";
import type { SessionThread } from "../runtime/session_thread.ts";
import { Component } from "./parts/component.ts";
import {
  type CheckpointFiles,
  CheckpointNotFoundError,
  COMFYUI_TOKENIZER_TENSOR,
  type ComponentFiles,
  type Role,
} from "./checkpoint/find_checkpoint.ts";
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
  const [dit, gemma, vae, tokenizer, scheduler] = await Promise.all([
    read(files.transformer),
    read(files.textEncoder),
    read(files.vae),
    openTokenizer(files.tokenizer, "gemma3"),
    loadScheduler(files.scheduler),
  ]);
  const transformerConfig = parseNextDiTConfig(dit.json ?? {}, dit.file, dit.weights);
  const textEncoderConfig = parseGemma3Config(gemma.json, gemma.file, gemma.weights);
  const vaeConfig = parseVaeConfig(vae.json, vae.file, vae.weights);
  const { cap_feat_dim, clip_text_dim, in_channels } = transformerConfig;
  const expectFit = (
    file: string,
    key: string,
    found: number,
    wanted: string,
    expected: number,
  ) => {
    if (found === expected) return;
    throw new ConfigError(file, [{
      en: `${key} is ${found}, but the transformer (${dit.file}) needs ${expected} (${wanted}): ` +
        "these two were not made for each other",
      zh: `${key} 是 ${found}，但 Transformer（${dit.file}）需要 ${expected}（${wanted}）：` +
        "两者并不配套",
    }]);
  };
  const { latent_channels } = vaeConfig;
  expectFit(vae.file, "latent_channels", latent_channels, "in_channels", in_channels);
  const { hidden_size } = textEncoderConfig;
  expectFit(gemma.file, "hidden_size", hidden_size, "cap_feat_dim", cap_feat_dim);
  const clip = clip_text_dim === undefined ? undefined : await readClip(files, dit.file);
  if (clip !== undefined) {
    expectFit(clip.file, "hidden_size", clip.config.hidden_size, "clip_text_dim", clip_text_dim!);
  }

  const shape = (role: Role, { json, file, weights }: Opened): SizedPart => ({
    role,
    ...partShape(role, json, file, weights),
  });
  const parts = [
    shape("transformer", dit),
    shape("textEncoder", gemma),
    ...(clip === undefined ? [] : [shape("clipModel", clip)]),
    shape("vae", vae),
  ];
  const offload = chooseOffload(parts);
  const segments = offload === "sequential" ? SEGMENTS : 1;

  const problems: CheckpointError["problems"][number][] = [];
  const compile = <G>(build: () => G): G | undefined => {
    try {
      return build();
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  };
  const compileTransformer = (policy: DtypePolicy) =>
    compileNextDiT(transformerConfig, dit.weights, policy, segments);
  const graphs = {
    transformer: compile(() => compileTransformer(policy)),
    textEncoder: compile(() => compileGemma3(textEncoderConfig, gemma.weights, policy, segments)),
    clipModel: clip && compile(() => compileJinaClip(clip.config, clip.weights, policy)),
    vae: compile(() => compileVae(vaeConfig, vae.weights, policy)),
  };
  if (problems.length > 0) throw new CheckpointError(problems);
  let transformer = { policy, graphs: graphs.transformer! };

  // ONNX Runtime is not loaded before a session is made: whoever only checks a checkpoint needs none.
  const { device } = policy;
  const threads: SessionThread[] = [];
  const keep = offload === "none";
  const component = <T extends AsyncDisposable>({ check }: Opened, load: () => Promise<T>) =>
    new Component(load, check, keep);
  // On a GPU a thread has little to do but to wait, so that each part can have one. The transformer
  // stays here: it is asked again and again, and what goes to a thread is copied.
  const threaded = async <T extends AsyncDisposable>(
    { check }: Opened,
    load: (host: SessionHost | undefined) => Promise<T>,
  ) => {
    const thread = device === "cpu" ? undefined : await openThread();
    if (thread !== undefined) threads.push(thread);
    return new Component(() => load(thread), check, keep, thread);
  };
  const inSixteenBits = policy.convolution !== "float32";
  const exactPolicy: DtypePolicy = { ...policy, convolution: "float32" };
  const fallback = {
    exactGraphs: () => compileVae(vaeConfig, vae.weights, exactPolicy),
    onUse: onVaeFallback,
  };
  const hold = { device, resident: offload !== "sequential" };
  return {
    promptEncoders: promptEncoders({
      tokenizer,
      ...(clip === undefined ? {} : { clipTokenizer: clip.tokenizer }),
      textPlaces: transformerConfig.axes_lens[0]!,
    }),
    tokenizer,
    scheduler,
    transformerConfig,
    vaeClassName: vaeConfig._class_name,
    vaeScaleFactor: pixelsPerLatent(vaeConfig),
    parts,
    offload,
    threads,
    transformer: component(
      dit,
      async () => {
        const { loadTransformer } = await import("./parts/load_transformer.ts");
        // What another policy had to take the place of stays replaced when the part is loaded again.
        const compiled = (policy: DtypePolicy) => {
          if (policy !== transformer.policy) {
            transformer = { policy, graphs: compileTransformer(policy) };
          }
          return transformer.graphs;
        };
        const { resident } = hold;
        const options = { policy: transformer.policy, resident, onOperatorFallback };
        return await loadTransformer(transformerConfig, compiled, options);
      },
    ),
    textEncoder: await threaded(gemma, async (host) => {
      const { TextEncoder } = await import("./parts/text_encoder.ts");
      return await TextEncoder.create(textEncoderConfig, graphs.textEncoder!, { ...hold, host });
    }),
    vae: await threaded(vae, async (host) => {
      const { VaeDecoder } = await import("./parts/vae.ts");
      return await VaeDecoder.create(vaeConfig, graphs.vae!, device, {
        fallback: inSixteenBits ? fallback : undefined,
        host,
        warmUpSize: keep && host !== undefined ? transformerConfig.sample_size : undefined,
      });
    }),
    ...(clip === undefined ? {} : {
      clip: {
        tokenizer: clip.tokenizer,
        model: await threaded(clip, async (host) => {
          const { ClipModel } = await import("./parts/clip_model.ts");
          return await ClipModel.create(clip.config, graphs.clipModel!, device, host);
        }),
      },
    }),
  };
}

async function openThread(): Promise<SessionThread | undefined> {
  const { SessionThread } = await import("../runtime/session_thread.ts");
  return await SessionThread.open();
}

interface Opened {
  /** The parsed configuration; absent for a single file that stands alone. */
  readonly json: unknown;
  /** Where the configuration stands, for messages. */
  readonly file: string;
  readonly weights: Weights;
  /** @throws {SafetensorsError} When the weights are no longer the files that were read. */
  readonly check: () => Promise<void>;
}

async function read({ weights: path, config }: ComponentFiles): Promise<Opened> {
  const weights = await openWeights(path, { opaque: [COMFYUI_TOKENIZER_TENSOR] });
  const check = await rememberFiles(weights.files);
  if (config === undefined) return { json: undefined, file: path, weights, check };
  return { json: await readJson(config), file: config, weights, check };
}

async function readClip({ clipModel, clipTokenizer }: CheckpointFiles, transformer: string) {
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
  const opened = await read(clipModel);
  const config = parseJinaClipConfig(opened.json, opened.file, opened.weights);
  return { ...opened, config, tokenizer: await openTokenizer(clipTokenizer, "xlm-roberta") };
}

/** Weights stay in their files, so those must stay as they are for as long as they are in use. */
async function rememberFiles(paths: readonly string[]): Promise<() => Promise<void>> {
  const identity = async (path: string) => {
    const { size, mtime, ino } = await Deno.stat(path);
    return `${size} ${mtime?.getTime()} ${ino}`;
  };
  const remembered = await Promise.all(paths.map(identity));
  return async () => {
    for (const [index, path] of paths.entries()) {
      if (await identity(path).catch(() => undefined) === remembered[index]) continue;
      throw new SafetensorsError(
        `${path} was changed or removed after it was opened. Load the pipeline again.`,
        { file: path, zh: `${path} 在打开之后被更改或删除。请重新加载流水线。` },
      );
    }
  };
}

async function loadScheduler(file: string | undefined): Promise<Scheduler> {
  return file === undefined
    ? createScheduler("euler")
    : schedulerFromConfig(await readJson(file), file);
}

async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new CheckpointNotFoundError(`${file} is missing. It must lie beside the weights.`, {
        cause,
        zh: `缺少 ${file}。它应与权重放在一起。`,
      });
    }
    const { message } = cause as Error;
    const problem = { en: `cannot be read: ${message}`, zh: `无法读取：${message}` };
    throw new ConfigError(file, [problem], { cause });
  }
  try {
    return JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (cause) {
    const { message } = cause as Error;
    const problem = { en: `not valid JSON: ${message}`, zh: `不是有效的 JSON：${message}` };
    throw new ConfigError(file, [problem], { cause });
  }
}
