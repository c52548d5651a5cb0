/**
 * From files to parts that can run: configurations are read, graphs compiled, and everything that
 * can be wrong with a checkpoint is found before the first session exists.
 *
 * @module
 */
import { type Network, PART_NAMES, type PartName, type PartShape } from "../families/mod.ts";
import { type NextDiTConfig, pixelsPerLatent } from "../models/mod.ts";
import type { AdaptableParts } from "../adapters/mod.ts";
import { nativeSessions } from "../kernels/native_sessions.ts";
import { type Adaptation, type DtypePolicy, MOST_OWN_BYTES } from "../onnx/mod.ts";
import type { PromptEncoder } from "../prompt/mod.ts";
import type { SessionHost, SessionOptions } from "../runtime/session.ts";
import type { SessionThread } from "../runtime/session_thread.ts";
import { withOptions } from "../runtime/with_options.ts";
import { createScheduler, type Scheduler, schedulerFromConfig } from "../schedulers/mod.ts";
import type { Weights } from "../safetensors/mod.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";
import { RequestError } from "../errors.ts";
import { ownWeights } from "./adapters/own_weights.ts";
import { PartAdapters } from "./adapters/part_adapters.ts";
import { compileParts } from "./_compile_parts.ts";
import { CheckpointNotFoundError } from "./checkpoint/checkpoint_not_found_error.ts";
import { type ConfigOf, expectFit } from "./checkpoint/fit.ts";
import {
  type OffloadMode,
  SEGMENTS,
  type SpareMemory,
  UPSCALER_BYTES,
} from "./checkpoint/memory.ts";
import { type OpenedPart, openPart } from "./checkpoint/open_part.ts";
import { openTokenizer } from "./checkpoint/open_tokenizer.ts";
import { partShape } from "./checkpoint/part_needs.ts";
import { promptEncoders } from "./checkpoint/prompt_encoders.ts";
import { readConfig } from "./checkpoint/read_config.ts";
import type { CheckpointFiles, PartFiles } from "./checkpoint/types.ts";
import type { ClipModel } from "./parts/clip_model.ts";
import { HeldPart } from "./parts/held_part.ts";
import { permittedPolicy } from "./parts/permitted_policy.ts";
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
}

/** A part whose configuration was read. */
type Parsed<P extends PartName> = OpenedPart & { readonly config: ConfigOf[P] };

/** What is known of a checkpoint whatever it is to run on. */
export interface OpenedParts {
  readonly transformer: Parsed<"transformer">;
  readonly textEncoder: Parsed<"textEncoder">;
  readonly clipModel?: Parsed<"clipModel">;
  readonly vae: Parsed<"vae">;
  readonly tokenizer: Tokenizer;
  readonly clipTokenizer?: Tokenizer;
  readonly scheduler: Scheduler;
}

/**
 * Reads headers, configurations and tokenizers, and sees whether they belong together.
 *
 * @throws {Error} As {@linkcode loadParts} does.
 */
export async function openParts(files: CheckpointFiles): Promise<OpenedParts> {
  const { family } = files;
  const { networks, encoders } = family;
  const open = async <P extends PartName>(name: P, files: PartFiles) => {
    const part = await openPart(files, name, family);
    const parse = networks[name].parse as Network<ConfigOf[P], unknown>["parse"];
    return { ...part, config: parse(part.json, part.file, part.weights) };
  };
  const [transformer, textEncoder, vae, tokenizer, scheduler] = await Promise.all([
    open("transformer", files.transformer),
    open("textEncoder", files.textEncoder),
    open("vae", files.vae),
    openTokenizer(files.tokenizer, encoders.textEncoder.tokenizer),
    loadScheduler(files.scheduler),
  ]);
  const needsClip = transformer.config.clip_text_dim !== undefined;
  const clipFiles = needsClip ? requireClip(files, transformer.file) : undefined;
  const clipModel = clipFiles && await open("clipModel", clipFiles.model);
  const clipTokenizer = clipFiles &&
    await openTokenizer(clipFiles.tokenizer, encoders.clipModel.tokenizer);
  const opened = { transformer, textEncoder, ...(clipModel && { clipModel }), vae };
  expectFit(opened);
  return { ...opened, tokenizer, ...(clipTokenizer && { clipTokenizer }), scheduler };
}

/**
 * Reads and compiles a checkpoint; the sessions are made when they are first used.
 *
 * @throws {CheckpointNotFoundError} When the transformer has CLIP conditioning and there is no CLIP
 *   model, or a config.json is missing.
 * @throws {CheckpointError} Naming every tensor of every part that does not fit.
 * @throws {ConfigError} When a config.json is wrong, or two parts do not fit each other.
 * @throws {SafetensorsError | GgufError} When a weights file is damaged.
 * @throws {TokenizerError} When a tokenizer cannot be read.
 */
export async function loadParts(
  files: CheckpointFiles,
  options: LoadPartsOptions,
  opening: Promise<OpenedParts> = openParts(files),
): Promise<PipelineParts> {
  const { policy: wanted, computeThreads, chooseOffload, onVaeFallback, onOperatorFallback } =
    options;
  const { checkAdapters = () => Promise.resolve(), deviceIds = [0] } = options;
  const [deviceId] = deviceIds;
  const policy = await permittedPolicy(wanted);
  const { family } = files;
  const { networks } = family;
  const opened = await opening;
  const { transformer, textEncoder, clipModel, vae, tokenizer, clipTokenizer, scheduler } = opened;

  const sizes = PART_NAMES.flatMap((name): readonly SizedPart[] => {
    const part = opened[name];
    if (part === undefined) return [];
    return [{ name, ...partShape(name, part.json, part.file, part.weights, family) }];
  });
  const offload = chooseOffload(sizes);
  const spare = options.spare?.(sizes, offload);
  const segments = offload === "sequential" ? SEGMENTS : 1;
  const graphs = compileParts(family, opened, policy, segments);
  const { steps } = graphs.transformer;
  if (policy.products !== undefined && steps.every((step) => step.ownMatrices === undefined)) {
    throw nothingToRound(transformer.weights.source);
  }
  let transformerPolicy = policy;
  const own = new Map(
    PART_NAMES.map((
      name,
    ) => [name, opened[name] && ownWeights(family, name, opened[name].weights)]),
  );
  const adaptable = Object.fromEntries(
    [...own].flatMap(([name, part]) => part === undefined ? [] : [[name, part.adaptable]]),
  ) as AdaptableParts;
  const adapters = new Map(PART_NAMES.map((name) => [name, new PartAdapters(own.get(name))]));
  /** The graphs of a part, with the adapters that there are. */
  const adapted = <Config, Graphs>(
    { compile }: Network<Config, Graphs>,
    { config, weights }: { readonly config: Config; readonly weights: Weights },
    plain: Graphs,
  ) => {
    let last: Compiled<Graphs> = { policy, adaptation: undefined, graphs: plain };
    return (policy: DtypePolicy, adaptation: Adaptation | undefined) => {
      if (policy !== last.policy || adaptation !== last.adaptation) {
        const pieces = Math.max(segments, piecesFor(adaptation, policy));
        const graphs = compile(config, weights, policy, pieces, adaptation);
        last = { policy, adaptation, graphs };
      }
      return last.graphs;
    };
  };
  const transformerGraphs = adapted(
    networks.transformer,
    transformer,
    graphs.transformer,
  );
  const encoderGraphs = adapted(
    networks.textEncoder,
    textEncoder,
    graphs.textEncoder,
  );
  const clipGraphs = clipModel &&
    adapted(networks.clipModel, clipModel, graphs.clipModel!);
  const adaptersOf = (name: PartName) => adapters.get(name)!;

  // ONNX Runtime is not loaded before a session is made: whoever only checks a checkpoint needs none.
  const { device } = policy;
  const threads: SessionThread[] = [];
  const keep = offload === "none";
  // On a GPU a thread mostly waits, so each part can have its own. The transformer stays on this
  // thread: it runs in every step, and its inputs would be copied each time. WebGPU has one device
  // for all sessions of the program, which only one thread may use.
  const threaded = async <T extends AsyncDisposable>(
    { check }: OpenedPart,
    load: (host: SessionHost) => Promise<T>,
    { ownOperators, warmUp }: {
      readonly ownOperators?: SessionOptions["ownOperators"];
      /** Has the part do for the first time what takes longest then; nobody waits for it. */
      readonly warmUp?: (part: T) => Promise<unknown>;
    } = {},
  ) => {
    const isNative = policy.ownOperators ?? false;
    const thread = device === "cuda" ? await openThread(isNative) : undefined;
    if (thread !== undefined) threads.push(thread);
    const checkAll = () => check().then(checkAdapters);
    // Each of them runs once a picture.
    const options = {
      ...{ threads: computeThreads, deviceId, givesBack: true },
      ...(ownOperators && { ownOperators }),
    };
    const host = thread ?? (isNative ? nativeSessions() : undefined);
    const loaded = async () => {
      const part = await load(withOptions(options, host));
      if (keep && thread !== undefined) warmUp?.(part).catch(() => {});
      return part;
    };
    return new HeldPart(loaded, checkAll, keep, thread);
  };
  const hold = { device, resident: offload !== "sequential" };
  const gpus = deviceIds.length === 1 ? [] : await openGpuThreads(deviceIds);
  const exactPolicy: DtypePolicy = { ...policy, convolution: "float32" };
  const encoder = (policy: DtypePolicy) =>
    networks.vae.compileEncoder(vae.config, vae.json, vae.file, vae.weights, policy);
  const fallback = policy.convolution === "float32" ? undefined : {
    exactGraphs: () => networks.vae.compile(vae.config, vae.weights, exactPolicy),
    exactEncoder: () => encoder(exactPolicy),
    onUse: onVaeFallback,
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
    checkEncoder: () => void encoder(policy),
    sizes,
    offload,
    keepsUpscaler: offload === "none" && spare !== undefined && spare.bytes >= UPSCALER_BYTES,
    threads,
    adapters,
    adaptable,
    transformer: new HeldPart(
      async () => {
        const { loadTransformer } = await import("./parts/load_transformer.ts");
        const adapters = adaptersOf("transformer");
        const adaptation = await adapters.adaptation();
        // A part that had to go over to another policy keeps it when it is loaded again.
        const compiled = (policy: DtypePolicy) => {
          transformerPolicy = policy;
          return transformerGraphs(policy, adaptation);
        };
        return await loadTransformer(transformer.config, compiled, {
          policy: transformerPolicy,
          resident: hold.resident,
          host: withOptions({ threads: computeThreads }),
          deviceId,
          gpus,
          adapterWeights: adapters.weights,
          onOperatorFallback,
        });
      },
      () => transformer.check().then(checkAdapters),
      keep,
      endOf(gpus),
    ),
    textEncoder: await threaded(textEncoder, async (host) => {
      const { TextEncoder } = await import("./parts/text_encoder.ts");
      const adapters = adaptersOf("textEncoder");
      const graphs = encoderGraphs(policy, await adapters.adaptation());
      const { config } = textEncoder;
      return await TextEncoder.create(config, graphs, { ...hold, host }, adapters.weights);
    }, {
      ...(policy.products && policy.text !== "float32" ? { ownOperators: policy.text } : {}),
      warmUp: (encoder) => encoder.encode(SOME_IDS),
    }),
    vae: await threaded(vae, async (host) => {
      const { Vae } = await import("./parts/vae.ts");
      return await Vae.create(vae.config, graphs.vae, device, {
        encoder: () => encoder(policy),
        fallback,
        host,
        fitsWhole: spare?.fitsWhole,
      });
    }),
    ...(clipModel && clipTokenizer && {
      clip: {
        tokenizer: clipTokenizer,
        model: await threaded(clipModel, async (host) => {
          const { ClipModel } = await import("./parts/clip_model.ts");
          const adapters = adaptersOf("clipModel");
          const graph = clipGraphs!(policy, await adapters.adaptation());
          return await ClipModel.create(clipModel.config, graph, device, host, adapters.weights);
        }, { warmUp: (model) => model.encode(SOME_IDS) }),
      },
    }),
  };
}

/** As many as a short prompt has. */
const SOME_IDS = new Int32Array(64);

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

/** Graphs, and what they were compiled for. */
interface Compiled<Graphs> {
  readonly policy: DtypePolicy;
  readonly adaptation: Adaptation | undefined;
  readonly graphs: Graphs;
}

/** How many graphs a part must be cut into so that each can hold its share of merged tensors. */
function piecesFor(adaptation: Adaptation | undefined, { compute }: DtypePolicy): number {
  const merged = [...adaptation?.merged.values() ?? []];
  const values = merged.reduce((sum, { length }) => sum + length, 0);
  return Math.ceil(values * (compute === "float32" ? 4 : 2) / MOST_OWN_BYTES);
}

/** @param isNative Whether the program may call native code by itself. */
async function openThread(isNative: boolean): Promise<SessionThread | undefined> {
  const { SessionThread } = await import("../runtime/session_thread.ts");
  if (!isNative) return await SessionThread.open();
  const { KERNEL_THREAD } = await import("../kernels/thread_module.ts");
  return await SessionThread.open(KERNEL_THREAD);
}

/** GPUs, each with a thread. */
async function openGpuThreads(deviceIds: readonly number[]) {
  const { SessionThread } = await import("../runtime/session_thread.ts");
  const { KERNEL_THREAD } = await import("../kernels/thread_module.ts");
  return await Promise.all(deviceIds.map(async (deviceId) => {
    const thread = await SessionThread.open(KERNEL_THREAD);
    if (thread === undefined) throw mayNotStartThreads();
    return { deviceId, thread };
  }));
}

function endOf(gpus: readonly { readonly thread: Disposable }[]): Disposable {
  return { [Symbol.dispose]: () => gpus.forEach(({ thread }) => thread[Symbol.dispose]()) };
}

/** For several GPUs where the program may not start a thread for each. */
function mayNotStartThreads(): RequestError {
  return new RequestError(
    "Several GPUs need a thread each, and this program may not read the toolkit's own files, which a " +
      "thread is started from. Run it with --allow-read, or draw on one GPU.",
    {
      zh: "多块显卡需要各有一个线程，而本程序无权读取用来启动线程的工具箱自身文件。" +
        "请用 --allow-read 运行，或只用一块显卡。",
    },
  );
}

/** The files of the CLIP model, which the transformer was found to need. */
function requireClip({ clipModel, clipTokenizer }: CheckpointFiles, transformer: string) {
  if (clipModel === undefined || clipTokenizer === undefined) {
    throw new CheckpointNotFoundError(
      `The transformer (${transformer}) has CLIP conditioning, but there is no CLIP model with it. ` +
        "README.md lists the files and where to put them; --clip-model names one that lies elsewhere.",
      {
        zh: `Transformer（${transformer}）需要 CLIP 条件，但没有随附的 CLIP 模型。` +
          "README.zh-CN.md 列出了所需文件及其位置；放在别处的可用 --clip-model 指定。",
      },
    );
  }
  return { model: clipModel, tokenizer: clipTokenizer };
}

async function loadScheduler(file: string | undefined): Promise<Scheduler> {
  return file === undefined
    ? createScheduler("euler")
    : schedulerFromConfig(await readConfig(file), file);
}
