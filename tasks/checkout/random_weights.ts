/**
 * Checkpoints of random weights with the published model's shapes and names: they cost the same to
 * load and to run, which is what a benchmark measures, and draw noise.
 *
 * Which tensors there are, the architectures themselves say: each graph is compiled over no weights
 * at all, and asks for what it lacks. So the files hold what the toolkit reads and nothing else: no
 * vision towers, and neither Gemma's final norm nor NextDiT's `norm_final`, which no graph uses.
 *
 * @module
 */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  compileGemma3,
  compileJinaClip,
  compileNextDiT,
  compileVae,
  parseGemma3Config,
  parseJinaClipConfig,
  parseNextDiTConfig,
  parseVaeConfig,
} from "../../src/models/mod.ts";
import { parseAutoencoderKLConfig } from "../../src/models/autoencoder_kl.ts";
import { compileAutoencoderKLEncoder } from "../../src/models/autoencoder_kl_encoder.ts";
import { parseAutoencoderTinyConfig } from "../../src/models/autoencoder_tiny.ts";
import { compileAutoencoderTinyEncoder } from "../../src/models/autoencoder_tiny_encoder.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { refuseExisting, requireRoom } from "../../src/files.ts";
import { NEWBIE } from "../../src/families/mod.ts";
import { createGenerator } from "../../src/random/mod.ts";
import {
  safetensorsByteLength,
  type TensorSource,
  type Weights,
  writeSafetensors,
} from "../../src/safetensors/mod.ts";
import { elementCount } from "../../src/tensor.ts";
import { UnfinishedFolder } from "../../src/unfinished.ts";
import { weightsWithoutFile } from "../../bench/shapes.ts";

/** The parts of a checkpoint; the second autoencoder is to be compared with the first. */
export type PartName = "transformer" | "text_encoder" | "clip_model" | "vae" | "vae_kl";

/** A part's config.json, as published: plain JSON. */
export type PartConfig = Readonly<Record<string, unknown>>;

/** How one architecture becomes a checkpoint. */
interface Architecture {
  /** Its place in the toolkit's own layout. */
  readonly folder: string;
  /** What transformers or diffusers calls the file. */
  readonly file: string;
  readonly published: PartConfig;
  /** The keys that say how many layers there are, and of which fewer may be written. */
  readonly layers?: readonly string[];
  /** Where the demo model keeps the tokenizer that is to lie beside the weights. */
  readonly tokenizer?: string;
  /** What the weights of norms vary about: Gemma's are added to 1. */
  readonly normCentre: 0 | 1;
  /** Each compiles a part of what the checkpoint holds; together they compile all of it. */
  readonly compile: readonly ((config: PartConfig, weights: Weights) => unknown)[];
}

const FILE = "config.json";
/** transformers refuses a file that does not name its format. */
const METADATA = { format: "pt", weights: "random" };
const POLICY = DTYPE_POLICIES.cuda;

/** What diffusers states for both kinds of autoencoder of FLUX's latents. */
const FLUX_LATENTS = { in_channels: 3, out_channels: 3, latent_channels: 16 };

function compileDecoder(config: PartConfig, weights: Weights): unknown {
  return compileVae(parseVaeConfig(config, FILE, weights), weights, POLICY);
}

/** The published configurations; NewBieAI-Lab/NewBie-image-Exp0.1 for the transformer. */
const ARCHITECTURES: Readonly<Record<PartName, Architecture>> = {
  transformer: {
    folder: NEWBIE.slots.toolkit.transformer,
    file: "diffusion_pytorch_model.safetensors",
    published: {
      _class_name: "NextDiT_3B_GQA_patch2_Adaln_Refiner_WHIT_CLIP",
      patch_size: 2,
      in_channels: 16,
      dim: 2304,
      n_layers: 36,
      n_refiner_layers: 2,
      n_heads: 24,
      n_kv_heads: 8,
      axes_dims: [32, 32, 32],
      axes_lens: [1024, 512, 512],
      norm_eps: 1e-5,
      qk_norm: true,
      cap_feat_dim: 2560,
      clip_text_dim: 1024,
      sample_size: 128,
    },
    layers: ["n_layers", "n_refiner_layers"],
    normCentre: 1,
    compile: [
      (config, weights) =>
        compileNextDiT(parseNextDiTConfig(config, FILE, weights), weights, POLICY),
    ],
  },
  text_encoder: {
    folder: NEWBIE.slots.toolkit.textEncoder,
    file: "model.safetensors",
    published: {
      architectures: ["Gemma3ForCausalLM"],
      model_type: "gemma3_text",
      vocab_size: 262_208,
      hidden_size: 2560,
      intermediate_size: 10_240,
      num_hidden_layers: 34,
      num_attention_heads: 8,
      num_key_value_heads: 4,
      head_dim: 256,
      hidden_activation: "gelu_pytorch_tanh",
      query_pre_attn_scalar: 256,
      rms_norm_eps: 1e-6,
      rope_theta: 1_000_000,
      rope_local_base_freq: 10_000,
      rope_scaling: { rope_type: "linear", factor: 8 },
      sliding_window: 1024,
      sliding_window_pattern: 6,
      max_position_embeddings: 131_072,
    },
    layers: ["num_hidden_layers"],
    tokenizer: "transformer",
    normCentre: 0,
    // The last layer is in the file but not in the graph; a graph of one layer more includes it.
    compile: [(config, weights) => {
      const parsed = parseGemma3Config(config, FILE, weights);
      const layer_types = [...parsed.layer_types, parsed.layer_types[0]!];
      return compileGemma3({ ...parsed, layer_types }, weights, POLICY);
    }],
  },
  clip_model: {
    folder: NEWBIE.slots.toolkit.clipModel,
    file: "model.safetensors",
    published: {
      architectures: ["XLMRobertaModel"],
      model_type: "xlm-roberta",
      vocab_size: 250_002,
      type_vocab_size: 1,
      hidden_size: 1024,
      num_hidden_layers: 24,
      num_attention_heads: 16,
      intermediate_size: 4096,
      hidden_act: "gelu",
      layer_norm_eps: 1e-5,
      position_embedding_type: "rotary",
      rotary_emb_base: 20_000,
    },
    layers: ["num_hidden_layers"],
    tokenizer: "clip_model",
    normCentre: 1,
    compile: [
      (config, weights) =>
        compileJinaClip(parseJinaClipConfig(config, FILE, weights), weights, POLICY),
    ],
  },
  vae: {
    folder: NEWBIE.slots.toolkit.vae,
    file: "diffusion_pytorch_model.safetensors",
    published: {
      _class_name: "AutoencoderTiny",
      ...FLUX_LATENTS,
      act_fn: "relu",
      encoder_block_out_channels: [64, 64, 64, 64],
      decoder_block_out_channels: [64, 64, 64, 64],
      num_encoder_blocks: [1, 3, 3, 3],
      num_decoder_blocks: [3, 3, 3, 1],
      upsampling_scaling_factor: 2,
      scaling_factor: 1,
      shift_factor: 0,
    },
    normCentre: 1,
    compile: [compileDecoder, (config, weights) => {
      const parsed = parseAutoencoderTinyConfig(config, FILE);
      return compileAutoencoderTinyEncoder(parsed, config, FILE, weights, POLICY);
    }],
  },
  vae_kl: {
    folder: "vae/autoencoder-kl",
    file: "diffusion_pytorch_model.safetensors",
    published: {
      _class_name: "AutoencoderKL",
      ...FLUX_LATENTS,
      act_fn: "silu",
      block_out_channels: [128, 256, 512, 512],
      down_block_types: new Array<string>(4).fill("DownEncoderBlock2D"),
      up_block_types: new Array<string>(4).fill("UpDecoderBlock2D"),
      layers_per_block: 2,
      norm_num_groups: 32,
      mid_block_add_attention: true,
      use_quant_conv: false,
      use_post_quant_conv: false,
      scaling_factor: 0.3611,
      shift_factor: 0.1159,
      sample_size: 1024,
    },
    normCentre: 1,
    compile: [compileDecoder, (config, weights) => {
      const parsed = parseAutoencoderKLConfig(config, FILE);
      return compileAutoencoderKLEncoder(parsed, config, FILE, weights, POLICY);
    }],
  },
};

/** All parts, in the order in which they are written. */
export const PART_NAMES = Object.keys(ARCHITECTURES) as PartName[];

/** What to write. */
export interface RandomWeightsOptions {
  /** By default all parts. */
  readonly parts?: readonly PartName[] | undefined;
  /** At most so many layers of each kind; by default all. */
  readonly layers?: number | undefined;
  /** Rows of both embedding tables; by default as published. */
  readonly vocabulary?: number | undefined;
  /** @default {1} */
  readonly seed?: number | undefined;
  /** The folder of the model whose tokenizers are copied. */
  readonly tokenizers: string;
  /** Other configurations than the published ones, for smaller models of the same kinds. */
  readonly configs?: Readonly<Partial<Record<PartName, PartConfig>>> | undefined;
  /** Told when a part is begun. */
  readonly onPart?: ((part: PartName, bytes: number) => void) | undefined;
}

/** A part that was written. */
export interface WrittenPart {
  readonly part: PartName;
  readonly folder: string;
  readonly bytes: number;
  readonly tensors: number;
  readonly parameters: number;
}

/** A checkpoint's tensors, and the configuration that asks for them. */
export interface PlannedPart {
  readonly part: PartName;
  readonly config: PartConfig;
  /** By name, in the order in which the architecture asks for them. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/** Which tensors a part's checkpoint holds. Writes nothing. */
export function planPart(
  part: PartName,
  { layers, vocabulary, configs }: Omit<RandomWeightsOptions, "tokenizers"> = {},
): PlannedPart {
  const architecture = ARCHITECTURES[part];
  const config: Record<string, unknown> = { ...(configs?.[part] ?? architecture.published) };
  for (const key of architecture.layers ?? []) {
    if (layers !== undefined) config[key] = Math.min(layers, Number(config[key]));
  }
  if (vocabulary !== undefined && "vocab_size" in config) config.vocab_size = vocabulary;
  const asked = architecture.compile.flatMap((compile) => [
    ...weightsWithoutFile((weights) => compile(config, weights)).tensors.values(),
  ]);
  const shapes = new Map(asked.map(({ name, shape }) => [name, shape]));
  return { part, config, shapes };
}

/**
 * Writes random weights in bfloat16 with their config.json, in the toolkit's own layout, and beside
 * the text encoders the demo model's tokenizers. Those know far fewer tokens than the tables have
 * rows; no row costs more to read than another.
 *
 * A part's folder appears when all of it is on disk. The same options give the same bytes.
 *
 * @param folder Where the checkpoint goes; made when it is missing.
 * @throws {RequestError} When a part's folder is there already.
 * @throws {NewBieError} When the disk has not enough room.
 */
export async function writeRandomWeights(
  folder: string,
  options: RandomWeightsOptions,
): Promise<WrittenPart[]> {
  const plans = (options.parts ?? PART_NAMES).map((part) => planPart(part, options));
  const random = new RandomValues(options.seed ?? 1);
  const jobs = plans.map((plan) => {
    const tensors = tensorSources(plan, random);
    return { plan, tensors, bytes: safetensorsByteLength(tensors, METADATA) };
  });
  for (const { plan: { part } } of jobs) {
    await refuseExisting(join(folder, ARCHITECTURES[part].folder));
  }
  await mkdir(folder, { recursive: true });
  await requireRoom(folder, jobs.reduce((sum, { bytes }) => sum + bytes, 0), {
    what: { en: "the weights", zh: "权重" },
    remedy: {
      en: "give another folder, or write less: --only, --layers, --vocabulary.",
      zh: "或指定其他文件夹，或减少写入量：--only、--layers、--vocabulary。",
    },
  });

  const written: WrittenPart[] = [];
  for (const { plan, tensors, bytes } of jobs) {
    options.onPart?.(plan.part, bytes);
    const target = await writePart(folder, plan, tensors, options.tokenizers);
    written.push({
      part: plan.part,
      folder: target,
      bytes,
      tensors: tensors.length,
      parameters: tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0),
    });
  }
  return written;
}

async function writePart(
  folder: string,
  { part, config }: PlannedPart,
  tensors: readonly TensorSource[],
  tokenizers: string,
): Promise<string> {
  const { folder: slot, file, tokenizer } = ARCHITECTURES[part];
  const target = join(folder, slot);
  await using made = await UnfinishedFolder.create(target);
  await writeFile(join(made.path, FILE), JSON.stringify(config, null, 2) + "\n");
  if (tokenizer !== undefined) {
    for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
      await copyFile(join(tokenizers, tokenizer, name), join(made.path, name));
    }
  }
  await writeSafetensors(join(made.path, file), tensors, METADATA);
  // Another process may have made it meanwhile.
  if (!await made.keep()) await refuseExisting(target);
  return target;
}

/** Gates, scales and shifts about their neutral values. */
const SMALL = 0.02;

/**
 * Matrices and convolutions are normal with a deviation of 1 / √(inputs), so that a layer keeps the
 * size of what goes through it; norms and biases vary a little about what does nothing.
 */
function tensorSources({ part, shapes }: PlannedPart, random: RandomValues): TensorSource[] {
  const { normCentre } = ARCHITECTURES[part];
  return [...shapes].map(([name, shape]) => {
    const count = elementCount(shape);
    const [mean, deviation] = shape.length > 1
      ? [0, (count / shape[0]!) ** -0.5]
      : [name.endsWith(".bias") ? 0 : normCentre, SMALL];
    return {
      name,
      dtype: "BF16",
      shape,
      bytes: () => random.values(count, mean, deviation, name),
    };
  });
}

/**
 * How many values are drawn: a prime, so that no row of a matrix repeats another while the values
 * go round and round.
 */
const DRAWN = 1_048_573;
/** A float32's upper half is a bfloat16. */
const BFLOAT16_SHIFT = 16;
const BYTES_PER_VALUE = 2;

/**
 * Normal values in bfloat16, faster than disks write: one block is drawn, each tensor goes round it
 * from a place of its own.
 */
class RandomValues {
  readonly #normal: Float32Array;
  /** The block as bytes, for each mean and deviation that was asked for. */
  readonly #blocks = new Map<string, Uint8Array>();
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.#normal = createGenerator({ seed }).randn(DRAWN);
  }

  *values(count: number, mean: number, deviation: number, name: string): Generator<Uint8Array> {
    const block = this.#block(mean, deviation);
    let place = hash(name, this.#seed) % DRAWN;
    while (count > 0) {
      const length = Math.min(count, DRAWN - place);
      yield block.subarray(place * BYTES_PER_VALUE, (place + length) * BYTES_PER_VALUE);
      count -= length;
      place = 0;
    }
  }

  #block(mean: number, deviation: number): Uint8Array {
    const key = `${mean} ${deviation}`;
    let block = this.#blocks.get(key);
    if (block === undefined) {
      const scaled = this.#normal.map((value) => mean + deviation * value);
      const bits = new Uint32Array(scaled.buffer);
      // Random values need no rounding: the lower bits are cut off.
      block = new Uint8Array(Uint16Array.from(bits, (word) => word >>> BFLOAT16_SHIFT).buffer);
      this.#blocks.set(key, block);
    }
    return block;
  }
}

/** FNV-1a (Fowler, Noll & Vo) of a name, 32 bits. */
function hash(name: string, seed: number): number {
  let state = 0x811c9dc5 ^ seed;
  for (const unit of new TextEncoder().encode(name)) {
    state = Math.imul(state ^ unit, 0x01000193);
  }
  return state >>> 0;
}
