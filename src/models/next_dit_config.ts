/**
 * What a NextDiT's config.json says, and what its weights show where there is none.
 *
 * @module
 */
import * as z from "zod";
import { ConfigError } from "../errors.ts";
import type { Texts } from "../language.ts";
import type { Weights } from "../safetensors/mod.ts";
import { parseConfig } from "./_config.ts";
import { expectWithinWeights } from "./_limits.ts";
import { countOf, findNaming, type Naming, naming, renamed } from "./names.ts";

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

/** diffusers' words (`Lumina2Transformer2DModel`) for the same. */
const DIFFUSERS_KEYS: Readonly<Record<string, keyof Arguments>> = {
  hidden_size: "dim",
  num_layers: "n_layers",
  num_refiner_layers: "n_refiner_layers",
  num_attention_heads: "n_heads",
  num_kv_heads: "n_kv_heads",
  axes_dim_rope: "axes_dims",
  pooled_projection_dim: "clip_text_dim",
};
/** What diffusers' class supplies when neither config.json nor the weights tell. */
const DIFFUSERS_CLASS = "Lumina2Transformer2DModel";
const DIFFUSERS_DEFAULTS: Arguments = {
  ...GQA_24,
  in_channels: 16,
  dim: 2304,
  n_layers: 26,
  cap_feat_dim: 1024,
  qk_norm: true,
  axes_dims: [32, 32, 32],
  axes_lens: [300, 512, 512],
};
/** The classes that are this architecture. */
const KNOWN_CLASS = /^(NextDiT|Lumina2|NewBie)/i;

/** Thirds of the published heads: the weights do not show how a head is divided among axes. */
const PUBLISHED_AXES: Readonly<Record<number, readonly number[]>> = {
  96: [32, 32, 32],
  108: [36, 36, 36],
  120: [40, 40, 40],
};

/** What the weights of other sizes do not show. */
const UNSHOWN = ["n_heads", "axes_dims"] as const;

/** Upstream's names, and those of diffusers' conversions, which part queries, keys and values. */
const UPSTREAM = {
  required: [
    "x_embedder.weight",
    "cap_embedder.1.weight",
    "layers.0.feed_forward.w1.weight",
    "final_layer.linear.weight",
  ],
  // Z-Image's: a relative with padding of its own.
  foreign: ["cap_pad_token", "x_pad_token"],
};
const DIFFUSERS = {
  required: [
    "x_embedder.weight",
    "time_caption_embed.caption_embedder.1.weight",
    "layers.0.feed_forward.linear_1.weight",
    "norm_out.linear_2.weight",
  ],
};

/** Upstream's names, with diffusers' for each; the first that fits is meant. */
const DIFFUSERS_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^cap_embedder\./, "time_caption_embed.caption_embedder."],
  [/^t_embedder\.mlp\.0\./, "time_caption_embed.timestep_embedder.linear_1."],
  [/^t_embedder\.mlp\.2\./, "time_caption_embed.timestep_embedder.linear_2."],
  [/^final_layer\.adaLN_modulation\.1\./, "norm_out.linear_1."],
  [/^final_layer\.linear\./, "norm_out.linear_2."],
  [/\.attention\.out\./, ".attn.to_out.0."],
  [/\.attention\.([qk])_norm\./, ".attn.norm_$1."],
  [/\.attention\.qkv\./, ".attn.to_qkv."],
  [/\.attention\.(to_[qkv])\./, ".attn.$1."],
  [/^(layers|noise_refiner)(\.\d+)\.attention_norm1\./, "$1$2.norm1.norm."],
  [/\.attention_norm([12])\./, ".norm$1."],
  [/\.adaLN_modulation\.1\./, ".norm1.linear."],
  [/\.feed_forward\.w(\d)\./, ".feed_forward.linear_$1."],
];

/**
 * How a transformer's tensors are named in a file, by upstream's names and, of a block whose
 * queries, keys and values are apart, `attention.to_{q,k,v}`. Undefined where there is no NextDiT.
 */
export function nextDiTNames(weights: Weights): Naming | undefined {
  const upstream = findNaming(weights, [UPSTREAM]);
  if (upstream !== undefined) return upstream;
  const diffusers = findNaming(weights, [DIFFUSERS]);
  if (diffusers === undefined) return undefined;
  return renamed(diffusers, DIFFUSERS_NAMES);
}

/** The names where no weights are known yet. */
export function namesOf(weights: Weights): Naming {
  return nextDiTNames(weights) ?? naming(weights, UPSTREAM, "");
}

/**
 * Completes a transformer's config.json, in upstream's words or diffusers': what it states, then what
 * its `_class_name` supplies, then what the weights show, then the class's defaults.
 *
 * @param json The parsed config.json; absent when there is none, as with ComfyUI's single files.
 * @param file Its path, for messages.
 * @throws {ConfigError} When a key has a wrong value, or the values contradict each other or the
 *   weights.
 */
export function parseNextDiTConfig(json: unknown, file: string, weights: Weights): NextDiTConfig {
  const { _class_name: className = "", ...stated } = parseConfig(
    statedSchema,
    inUpstreamsWords(json ?? {}),
    file,
  );
  if (/CNN/.test(className)) {
    throw new ConfigError(file, [{
      en: `_class_name ${className}: the variant with a CNN is not supported`,
      zh: `_class_name ${className}：不支持带 CNN 的变体`,
    }]);
  }
  if (className !== "" && !KNOWN_CLASS.test(className)) {
    throw new ConfigError(file, [{
      en: `_class_name ${className} is another architecture than NextDiT`,
      zh: `_class_name ${className} 不是 NextDiT 架构`,
    }]);
  }
  const named = NAMED_SIZES[className] ?? {};
  const shown = readFromWeights(weights, stated.patch_size ?? CONSTRUCTOR_DEFAULTS.patch_size);
  // Either key of the feed-forward's width means that both are meant as stated.
  if ("multiple_of" in stated || "ffn_dim_multiplier" in stated) {
    delete shown.multiple_of;
    delete shown.ffn_dim_multiplier;
  }
  const ofClass = className === DIFFUSERS_CLASS ? DIFFUSERS_DEFAULTS : {};
  const known = { ...shown, ...named, ...stated };
  const silent = UNSHOWN.filter((key) => known[key] === undefined && ofClass[key] === undefined);
  if (silent.length > 0 && className === "" && shown.dim !== undefined) {
    throw new ConfigError(file, [{
      en: `nothing says ${silent.join(" and ")}: ` +
        (json === undefined ? "there is no config.json, " : "config.json does not state it, ") +
        `and the weights (dim ${shown.dim}) are no published size. Put the config.json that was ` +
        "published with them beside them, under a single file's name with the ending .json",
      zh: `无从得知 ${silent.join(" 和 ")}：` +
        (json === undefined ? "没有 config.json，" : "config.json 没有说明，") +
        `而权重（dim ${shown.dim}）不是已发布的规模。请把随权重发布的 config.json 放在旁边；` +
        "若是单文件，文件名与权重相同，扩展名为 .json",
    }]);
  }
  const merged = { ...CONSTRUCTOR_DEFAULTS, ...ofClass, ...known };
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
  for (const key of ["n_layers", "n_refiner_layers"] as const) {
    const there = shown[key];
    if (there === undefined || config[key] >= there) continue;
    problems.push({
      en: `${key} is ${config[key]}, but the weights have ${there}`,
      zh: `${key} 是 ${config[key]}，但权重有 ${there} 层`,
    });
  }
  if (problems.length > 0) throw new ConfigError(file, problems);
  const clipDim = clip_text_dim === undefined && /CLIP/.test(className)
    ? DEFAULT_CLIP_TEXT_DIM
    : clip_text_dim;
  const complete = { ...config, n_kv_heads, ...(clipDim ? { clip_text_dim: clipDim } : {}) };
  const { dim, cap_feat_dim, in_channels, n_layers, n_refiner_layers } = complete;
  expectWithinWeights(file, weights, {
    widths: {
      dim,
      cap_feat_dim,
      in_channels,
      clip_text_dim: clipDim ?? 1,
      "the feed-forward's width (multiple_of, ffn_dim_multiplier)": feedForwardDim(complete),
    },
    counts: { n_layers, n_refiner_layers },
  });
  return complete;
}

/** 4 · dim, times the multiplier if any, rounded up to `multiple_of`. */
export function feedForwardDim(
  { dim, ffn_dim_multiplier, multiple_of }: Pick<
    NextDiTConfig,
    "dim" | "ffn_dim_multiplier" | "multiple_of"
  >,
): number {
  const wanted = ffn_dim_multiplier === null ? 4 * dim : Math.trunc(ffn_dim_multiplier * 4 * dim);
  return multiple_of * Math.ceil(wanted / multiple_of);
}

function inUpstreamsWords(json: unknown): unknown {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  const entries = Object.entries(json).map(([key, value]) => {
    return [Object.hasOwn(DIFFUSERS_KEYS, key) ? DIFFUSERS_KEYS[key]! : key, value];
  });
  return Object.fromEntries(entries);
}

/** What tensors' shapes tell about a configuration. */
function readFromWeights(weights: Weights, patchSize: number): Arguments {
  const names = nextDiTNames(weights);
  if (names === undefined) return {};
  const { shape } = names;
  const [dim, patchFeatures] = shape("x_embedder.weight") ?? [];
  if (dim === undefined || patchFeatures === undefined) return {};
  const length = (list: string) =>
    countOf(names, (index) => `${list}.${index}.attention_norm1.weight`);
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
    const rows = shape("layers.0.attention.qkv.weight")?.[0];
    const keyRows = shape("layers.0.attention.to_k.weight")?.[0];
    shown.n_heads = heads;
    if (rows !== undefined) shown.n_kv_heads = (rows / headDim - heads) / 2;
    else if (keyRows !== undefined) shown.n_kv_heads = keyRows / headDim;
    const axes = PUBLISHED_AXES[headDim];
    if (axes !== undefined) {
      shown.axes_dims = [...axes];
      shown.axes_lens = [1024, 512, 512];
    }
  }
  return shown;
}
