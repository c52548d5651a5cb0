/**
 * From files to parts that can run: configurations are read, graphs compiled, and everything that
 * can be wrong with a checkpoint is found before the first session exists.
 *
 * @module
 */
import { RequestError } from "../errors.ts";
import { ConfigError } from "../models/_config.ts";
import { compileVae, parseVaeConfig, pixelsPerLatent } from "../models/autoencoder.ts";
import { compileGemma3, parseGemma3Config } from "../models/gemma3.ts";
import { compileJinaClip, parseJinaClipConfig } from "../models/jina_clip.ts";
import { compileNextDiT, type NextDiTConfig, parseNextDiTConfig } from "../models/next_dit.ts";
import { CheckpointError, type Device, type DtypePolicy } from "../onnx/mod.ts";
import {
  type OpaqueEntry,
  openWeights,
  SafetensorsError,
  type Weights,
} from "../safetensors/mod.ts";
import { createScheduler, type Scheduler, schedulerFromConfig } from "../schedulers/mod.ts";
import {
  loadSentencePieceTokenizer,
  loadTokenizer,
  type SentencePieceKind,
  type Tokenizer,
} from "../tokenizer/mod.ts";
import { Component } from "./_component.ts";
import {
  type CheckpointFiles,
  COMFYUI_TOKENIZER_TENSOR,
  type ComponentFiles,
  type TokenizerPlace,
} from "./checkpoint.ts";
import { ClipModel } from "./clip_model.ts";
import { TextEncoder } from "./text_encoder.ts";
import { Transformer } from "./transformer.ts";
import { VaeDecoder } from "./vae.ts";

/** Everything a pipeline runs. */
export interface Components {
  readonly tokenizer: Tokenizer;
  readonly clipTokenizer: Tokenizer;
  readonly textEncoder: Component<TextEncoder>;
  readonly clipModel: Component<ClipModel>;
  readonly transformer: Component<Transformer>;
  readonly vae: Component<VaeDecoder>;
  readonly scheduler: Scheduler;
  readonly transformerConfig: NextDiTConfig;
  /** Pixels per latent. */
  readonly vaeScaleFactor: number;
}

/** How the parts are to run. */
export interface ComponentOptions {
  readonly device: Device;
  readonly policy: DtypePolicy;
  /** Whether parts stay loaded between uses. */
  readonly keep: boolean;
}

/**
 * Reads and compiles a checkpoint; the sessions are made when they are first used.
 *
 * @throws {CheckpointError} Naming every tensor of every part that does not fit.
 * @throws {ConfigError} When a config.json is wrong, or two parts do not fit each other.
 * @throws {SafetensorsError} When a weights file is damaged.
 * @throws {TokenizerError} When a tokenizer cannot be read.
 */
export async function loadComponents(
  files: CheckpointFiles,
  { device, policy, keep }: ComponentOptions,
): Promise<Components> {
  const [tokenizer, clipTokenizer, scheduler] = await Promise.all([
    openTokenizer(files.tokenizer, "gemma3"),
    openTokenizer(files.clipTokenizer, "xlm-roberta"),
    loadScheduler(files.scheduler),
  ]);
  const [dit, gemma, jina, vae] = await Promise.all([
    read(files.transformer),
    read(files.textEncoder),
    read(files.clipModel),
    read(files.vae),
  ]);
  const transformerConfig = parseNextDiTConfig(dit.json, dit.file, dit.weights);
  const textEncoderConfig = parseGemma3Config(gemma.json, gemma.file, gemma.weights);
  const clipModelConfig = parseJinaClipConfig(jina.json, jina.file, jina.weights);
  const vaeConfig = parseVaeConfig(vae.json, vae.file, vae.weights);

  const { cap_feat_dim, clip_text_dim, in_channels } = transformerConfig;
  const { hidden_size: textWidth } = textEncoderConfig;
  const { hidden_size: pooledWidth } = clipModelConfig;
  const misfits = [
    [
      vaeConfig.latent_channels === in_channels,
      vae.file,
      "latent_channels",
      vaeConfig.latent_channels,
      in_channels,
      "in_channels",
    ],
    [
      textWidth === cap_feat_dim,
      gemma.file,
      "hidden_size",
      textWidth,
      cap_feat_dim,
      "cap_feat_dim",
    ],
    [
      pooledWidth === (clip_text_dim ?? pooledWidth),
      jina.file,
      "hidden_size",
      pooledWidth,
      clip_text_dim,
      "clip_text_dim",
    ],
  ] as const;
  for (const [fits, file, key, found, expected, wanted] of misfits) {
    if (fits) continue;
    throw new ConfigError(file, [
      `${key} is ${found}, but the transformer (${dit.file}) needs ${expected} (${wanted}): ` +
      "these two were not made for each other",
    ]);
  }

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
  const graphs = {
    transformer: compile(() => compileNextDiT(transformerConfig, dit.weights, policy)),
    textEncoder: compile(() => compileGemma3(textEncoderConfig, gemma.weights, policy)),
    clipModel: compile(() => compileJinaClip(clipModelConfig, jina.weights, policy)),
    vae: compile(() => compileVae(vaeConfig, vae.weights, policy)),
  };
  if (problems.length > 0) throw new CheckpointError(problems);

  const component = <T extends AsyncDisposable>(load: () => Promise<T>) =>
    new Component(load, keep);
  return {
    tokenizer,
    clipTokenizer,
    scheduler,
    transformerConfig,
    vaeScaleFactor: pixelsPerLatent(vaeConfig),
    transformer: component(() =>
      Transformer.create(transformerConfig, graphs.transformer!, device)
    ),
    textEncoder: component(() =>
      TextEncoder.create(textEncoderConfig, graphs.textEncoder!, device)
    ),
    clipModel: component(() => ClipModel.create(clipModelConfig, graphs.clipModel!, device)),
    vae: component(() => VaeDecoder.create(vaeConfig, graphs.vae!, device)),
  };
}

interface Opened {
  readonly json: unknown;
  /** Where the configuration stands, for messages. */
  readonly file: string;
  readonly weights: Weights;
}

async function read({ weights: path, config }: ComponentFiles): Promise<Opened> {
  const weights = await openWeights(path, { opaque: [COMFYUI_TOKENIZER_TENSOR] });
  if (config === undefined) return { json: {}, file: path, weights };
  return { json: await readJson(config), file: config, weights };
}

async function openTokenizer(place: TokenizerPlace, kind: SentencePieceKind): Promise<Tokenizer> {
  if (typeof place === "string") return await loadTokenizer(place);
  return loadSentencePieceTokenizer(await readBytes(place), kind, place.file);
}

async function readBytes({ file: path, offset, byteLength }: OpaqueEntry): Promise<Uint8Array> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(byteLength);
  for (let filled = 0; filled < byteLength;) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) {
      throw new SafetensorsError(`${path} became shorter while it was read.`, { file: path });
    }
    filled += count;
  }
  return bytes;
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
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new RequestError(`${file} is missing. It must lie beside the weights.`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(file, [`not valid JSON: ${(cause as Error).message}`]);
  }
}
