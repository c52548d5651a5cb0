/**
 * What a NextDiT's config.json says, and what its weights show where there is none.
 *
 * @module
 */
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import type { Texts } from "../language.ts";
import type { Weights } from "../safetensors/mod.ts";
import { parseConfig } from "./_config.ts";
import type { NameInFile } from "../onnx/mod.ts";
import { prefixInFile } from "./_names.ts";

/** What NextDiT's constructor takes, in upstream's words, complete. */
export interface NextDiTConfig {
  readonly patch_size: number;
  readonly in_channels: number;
  readonly dim: number;
  readonly n_layers: number;
  readonly n_refiner_layers: number;
  readonly n_heads: number;
  readonly n_kv_heads: number;
  readonly multiple_of: number;
  readonly ffn_dim_multiplier: number | null;
  readonly norm_eps: number;
  readonly qk_norm: boolean;
  readonly cap_feat_dim: number;
  readonly axes_dims: readonly number[];
  readonly axes_lens: readonly number[];
  /** Width and height that the model was trained for, in latents: diffusers' key. */
  readonly sample_size: number;
  /** The width of the pooled text; absent in a model without CLIP conditioning. */
  readonly clip_text_dim?: number;
}

const count = z.int().positive();

const schema = z.object({
  patch_size: count,
  in_channels: count,
  dim: count,
  n_layers: count,
  n_refiner_layers: z.int().nonnegative(),
  n_heads: count,
  n_kv_heads: count.nullable(),
  multiple_of: count,
  ffn_dim_multiplier: z.number().positive().nullable(),
  norm_eps: z.number().positive(),
  qk_norm: z.boolean(),
  cap_feat_dim: count,
  axes_dims: z.array(count.multipleOf(2)).length(3),
  axes_lens: z.array(count).length(3),
  sample_size: count,
  clip_text_dim: count.nullish(),
});

const statedSchema = schema.extend({ _class_name: z.string() }).partial();

type Arguments = Partial<z.infer<typeof schema>>;

/** The defaults of upstream's constructor, and of diffusers' pipelines for the sample's size. */
const CONSTRUCTOR_DEFAULTS = {
  patch_size: 2,
  in_channels: 4,
  dim: 4096,
  n_layers: 32,
  n_refiner_layers: 2,
  n_heads: 32,
  n_kv_heads: null,
  multiple_of: 256,
  ffn_dim_multiplier: null,
  norm_eps: 1e-5,
  qk_norm: false,
  cap_feat_dim: 5120,
  axes_dims: [16, 56, 56],
  axes_lens: [1, 512, 512],
  sample_size: 128,
};

const GQA_24 = { patch_size: 2, n_heads: 24, n_kv_heads: 8 };

/** Upstream's named sizes: what each supplies when config.json is silent. */
const NAMED_SIZES: Readonly<Record<string, Arguments>> = {
  NextDiT_2B_GQA_patch2_Adaln_Refiner: {
    ...GQA_24,
    dim: 2304,
    n_layers: 26,
    axes_dims: [32, 32, 32],
    axes_lens: [300, 512, 512],
  },
  NextDiT_2B_GQA_patch2_Adaln_Refiner_WHIT_CLIP: {
    ...GQA_24,
    dim: 2304,
    n_layers: 30,
    axes_dims: [32, 32, 32],
    axes_lens: [1024, 512, 512],
  },
  NextDiT_3B_GQA_patch2_Adaln_Refiner_WHIT_CLIP: {
    ...GQA_24,
    dim: 2304,
    n_layers: 36,
    axes_dims: [32, 32, 32],
    axes_lens: [1024, 512, 512],
  },
  NextDiT_3B_GQA_patch2_Adaln_Refiner: {
    ...GQA_24,
    dim: 2592,
    n_layers: 30,
    axes_dims: [36, 36, 36],
    axes_lens: [1024, 512, 512],
  },
  NextDiT_4B_GQA_patch2_Adaln_Refiner: {
    ...GQA_24,
    dim: 2880,
    n_layers: 32,
    axes_dims: [40, 40, 40],
    axes_lens: [300, 512, 512],
  },
  NextDiT_7B_GQA_patch2_Adaln_Refiner: {
    patch_size: 2,
    dim: 3840,
    n_layers: 32,
    n_heads: 32,
    n_kv_heads: 8,
    axes_dims: [40, 40, 40],
    axes_lens: [300, 512, 512],
  },
};

/** `clip_text_dim` in `NextDiT_CLIP`'s constructor. */
const DEFAULT_CLIP_TEXT_DIM = 1024;

/**
 * Completes a transformer's config.json: what it states, then what its `_class_name` supplies, then
 * what the weights show, then the defaults of upstream's constructor.
 *
 * @param json The parsed config.json; `{}` when there is none, as with ComfyUI's single files.
 * @param file Its path, for messages.
 * @throws {ConfigError} When a key has a wrong value, or the values contradict each other.
 */
export function parseNextDiTConfig(json: unknown, file: string, weights: Weights): NextDiTConfig {
  const { _class_name: className = "", ...stated } = parseConfig(statedSchema, json, file);
  if (/CNN/.test(className)) {
    throw new ConfigError(file, [{
      en: `_class_name ${className}: the variant with a CNN is not supported`,
      zh: `_class_name ${className}：不支持带 CNN 的变体`,
    }]);
  }
  const named = NAMED_SIZES[className] ?? {};
  const shown = readFromWeights(weights, stated.patch_size ?? CONSTRUCTOR_DEFAULTS.patch_size);
  // Either key of the feed-forward's width means that both are meant as stated.
  if ("multiple_of" in stated || "ffn_dim_multiplier" in stated) {
    delete shown.multiple_of;
    delete shown.ffn_dim_multiplier;
  }
  const merged = { ...CONSTRUCTOR_DEFAULTS, ...shown, ...named, ...stated };
  const { clip_text_dim, ...config } = parseConfig(schema, merged, file);
  const n_kv_heads = config.n_kv_heads ?? config.n_heads;

  const problems: Texts<string>[] = [];
  const headDim = config.dim / config.n_heads;
  const axesSum = config.axes_dims.reduce((sum, dim) => sum + dim, 0);
  if (headDim !== axesSum) {
    problems.push({
      en: `axes_dims add up to ${axesSum}, but dim / n_heads is ${headDim}`,
      zh: `axes_dims 之和是 ${axesSum}，但 dim / n_heads 是 ${headDim}`,
    });
  }
  if (config.n_heads % n_kv_heads !== 0) {
    problems.push({
      en: `n_heads ${config.n_heads} is no multiple of n_kv_heads ${n_kv_heads}`,
      zh: `n_heads ${config.n_heads} 不是 n_kv_heads ${n_kv_heads} 的倍数`,
    });
  }
  if (problems.length > 0) throw new ConfigError(file, problems);
  const clipDim = clip_text_dim === undefined && /CLIP/.test(className)
    ? DEFAULT_CLIP_TEXT_DIM
    : clip_text_dim;
  return { ...config, n_kv_heads, ...(clipDim ? { clip_text_dim: clipDim } : {}) };
}

/** What tensors' shapes tell about a configuration. */
function readFromWeights(weights: Weights, patchSize: number): Arguments {
  const nameInFile = namesOf(weights);
  const shape = (name: string) => weights.tensors.get(nameInFile(name))?.shape;
  const length = (list: string) => {
    let index = 0;
    while (shape(`${list}.${index}.attention_norm1.weight`) !== undefined) index++;
    return index;
  };
  const [dim, patchFeatures] = shape("x_embedder.weight") ?? [];
  if (dim === undefined || patchFeatures === undefined) return {};
  const shown: Arguments = {
    dim,
    in_channels: patchFeatures / patchSize ** 2,
    n_layers: length("layers"),
    n_refiner_layers: length("context_refiner"),
  };
  const hidden = shape("layers.0.feed_forward.w1.weight")?.[0];
  if (hidden !== undefined) {
    shown.multiple_of = 1;
    // The half keeps the product, which is truncated, from falling below by rounding.
    shown.ffn_dim_multiplier = (hidden + 0.5) / (4 * dim);
  }
  const capFeatDim = shape("cap_embedder.0.weight")?.[0];
  if (capFeatDim !== undefined) shown.cap_feat_dim = capFeatDim;
  const clipTextDim = shape("clip_text_pooled_proj.0.weight")?.[0];
  if (clipTextDim !== undefined) shown.clip_text_dim = clipTextDim;
  const headDim = shape("layers.0.attention.q_norm.weight")?.[0];
  shown.qk_norm = headDim !== undefined;
  if (headDim !== undefined) {
    const heads = dim / headDim;
    const rows = shape("layers.0.attention.qkv.weight")?.[0] ?? 0;
    shown.n_heads = heads;
    shown.n_kv_heads = (rows / headDim - heads) / 2;
    shown.axes_dims = [headDim / 3, headDim / 3, headDim / 3];
    shown.axes_lens = [1024, 512, 512];
  }
  return shown;
}

/** How the transformer's tensors are named in a file. */
export function namesOf(weights: Weights): NameInFile {
  return prefixInFile(weights, "x_embedder.weight", ["", "model.diffusion_model.", "model."]);
}
