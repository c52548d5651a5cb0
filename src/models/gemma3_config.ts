/**
 * What a Gemma 3's config.json says, and what its weights show where there is none.
 *
 * @module
 */
import * as z from "zod";
import { ConfigError } from "../errors.ts";
import type { Texts } from "../language.ts";
import type { Weights } from "../safetensors/mod.ts";
import { inSchema } from "../schema_problems.ts";
import { parseConfig } from "./_config.ts";
import { expectWithinWeights } from "./_limits.ts";
import { countOf, findNaming, type Naming, naming, renamed } from "./names.ts";

/** The two kinds of layers: those that see everything before them, and those with a window. */
export type LayerType = "full_attention" | "sliding_attention";

/** How one kind of layer turns positions into angles. */
export interface RopeParameters {
  readonly theta: number;
  /** Divides the frequencies. */
  readonly factor: number;
}

/** A Gemma 3 text configuration, complete. */
export interface Gemma3Config {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly hidden_activation: "gelu_pytorch_tanh" | "gelu";
  readonly rms_norm_eps: number;
  readonly query_pre_attn_scalar: number;
  readonly attention_bias: boolean;
  readonly sliding_window: number;
  /** One for each layer of the checkpoint, the last included. */
  readonly layer_types: readonly LayerType[];
  readonly rope: Readonly<Record<LayerType, RopeParameters>>;
}

const count = z.int().positive();
const layerType = z.enum(["full_attention", "sliding_attention"]);
const ropeSchema = z.object({
  rope_type: z.string(),
  type: z.string(),
  rope_theta: z.number().positive(),
  factor: z.number().positive(),
  partial_rotary_factor: z.literal(1, {
    error: inSchema({
      en: "heads that are rotated in part are not supported",
      zh: "不支持只旋转一部分的注意力头",
    }),
  }),
}).partial();

/** transformers' defaults (`Gemma3TextConfig`): published configurations leave much unsaid. */
const textSchema = z.object({
  vocab_size: count.default(262_208),
  hidden_size: count.default(2304),
  intermediate_size: count.default(9216),
  num_hidden_layers: count.default(26),
  num_attention_heads: count.default(8),
  num_key_value_heads: count.default(4),
  head_dim: count.multipleOf(2).default(256),
  hidden_activation: z.enum(["gelu_pytorch_tanh", "gelu"]).default("gelu_pytorch_tanh"),
  rms_norm_eps: z.number().positive().default(1e-6),
  query_pre_attn_scalar: z.number().positive().default(256),
  attention_bias: z.boolean().default(false),
  sliding_window: count.nullable().default(4096),
  layer_types: z.array(layerType).nullish(),
  sliding_window_pattern: count.optional(),
  // As transformers 4.5x writes it.
  _sliding_window_pattern: count.optional(),
  rope_scaling: ropeSchema.nullish(),
  rope_theta: z.number().positive().default(1_000_000),
  rope_local_base_freq: z.number().positive().default(10_000),
  // By layer type, or flat: then it is the full layers', as rope_scaling and rope_theta are.
  rope_parameters: ropeSchema.extend({
    full_attention: ropeSchema.nullish(),
    sliding_attention: ropeSchema.nullish(),
  }).nullish(),
  attn_logit_softcapping: z.null({
    error: inSchema({ en: "capped attention is not supported", zh: "不支持有上限的注意力" }),
  }).optional(),
  model_type: z.string().regex(
    /^gemma3/i,
    inSchema({ en: "this is another model than Gemma 3", zh: "这不是 Gemma 3 模型" }),
  ).optional(),
  use_bidirectional_attention: z.literal(false, {
    error: inSchema({
      en: "this model does not read from left to right as Gemma 3's text model does",
      zh: "该模型不像 Gemma 3 的文本模型那样从左到右阅读",
    }),
  }).nullish(),
});
const schema = z.object({ text_config: z.record(z.string(), z.unknown()).optional() }).loose();

/**
 * Reads transformers' config.json, flat or under `text_config`, in the spelling of version 4 or 5.
 *
 * @param json The parsed config.json; absent when there is none: then the weights tell.
 * @param file Its path, for messages.
 * @throws {ConfigError} When a key has a wrong value.
 */
export function parseGemma3Config(
  json: unknown,
  file: string,
  weights: Weights,
): Gemma3Config {
  const outer = parseConfig(schema, json ?? {}, file);
  const stated = outer.text_config ?? outer;
  const shown = readFromWeights(weights);
  const known = json === undefined
    ? {
      ...shown,
      ...publishedFacts(weights, shown.hidden_size, file),
      ...ggufFacts(weights, shown),
    }
    : { ...shown, ...stated };
  const config = parseConfig(textSchema, known, file);
  const { num_hidden_layers, num_attention_heads } = config;
  expectWithinWeights(file, weights, {
    counts: { num_hidden_layers },
    widths: {
      vocab_size: config.vocab_size,
      hidden_size: config.hidden_size,
      intermediate_size: config.intermediate_size,
      "num_attention_heads · head_dim": num_attention_heads * config.head_dim,
    },
  });
  const pattern = config.sliding_window_pattern ?? config._sliding_window_pattern ??
    DEFAULT_WINDOW_PATTERN;
  const layerTypes = config.layer_types ??
    Array.from({ length: num_hidden_layers }, (_, index): LayerType => {
      return (index + 1) % pattern === 0 ? "full_attention" : "sliding_attention";
    });

  const problems: Texts<string>[] = [];
  if (layerTypes.length !== num_hidden_layers) {
    problems.push({
      en: `layer_types has ${layerTypes.length} entries for ${num_hidden_layers} layers`,
      zh: `layer_types 有 ${layerTypes.length} 项，但共有 ${num_hidden_layers} 层`,
    });
  }
  if (num_attention_heads % config.num_key_value_heads !== 0) {
    problems.push({
      en: `num_attention_heads ${num_attention_heads} is no multiple of num_key_value_heads ` +
        `${config.num_key_value_heads}`,
      zh: `num_attention_heads ${num_attention_heads} 不是 num_key_value_heads ` +
        `${config.num_key_value_heads} 的倍数`,
    });
  }
  // The last layer is never asked for, so that a file may lack it.
  const there = shown.num_hidden_layers;
  if (there !== undefined && num_hidden_layers < there) {
    problems.push({
      en: `num_hidden_layers is ${num_hidden_layers}, but the weights have ${there}`,
      zh: `num_hidden_layers 是 ${num_hidden_layers}，但权重有 ${there} 层`,
    });
  }
  const rope = (stated: z.infer<typeof ropeSchema>, theta: number): RopeParameters => {
    const type = stated.rope_type ?? stated.type ?? "default";
    if (type !== "default" && type !== "linear") {
      problems.push({
        en: `rope type "${type}" is not supported (default and linear are)`,
        zh: `不支持 rope 类型“${type}”（支持 default 和 linear）`,
      });
    }
    const factor = type === "linear" ? stated.factor ?? 1 : 1;
    return { theta: stated.rope_theta ?? theta, factor };
  };
  const { full_attention, sliding_attention, ...flat } = config.rope_parameters ?? {};
  const full = { ...flat, ...full_attention, ...config.rope_scaling };
  const ropes = {
    full_attention: rope(full, config.rope_theta),
    sliding_attention: rope(sliding_attention ?? {}, config.rope_local_base_freq),
  };
  if (problems.length > 0) throw new ConfigError(file, problems);
  return {
    ...config,
    sliding_window: config.sliding_window ?? Infinity,
    layer_types: layerTypes,
    rope: ropes,
  };
}

/** Gemma's layers: every sixth sees everything before it. */
const DEFAULT_WINDOW_PATTERN = 6;

/** Gemma's published text models, by width: what their tensors' shapes do not tell. */
const PUBLISHED: Readonly<Record<number, { readonly layers: number; readonly facts: object }>> = {
  640: { layers: 18, facts: { sliding_window: 512 } },
  1152: { layers: 26, facts: { sliding_window: 512 } },
  2560: { layers: 34, facts: stretched(256) },
  3840: { layers: 48, facts: stretched(256) },
  5376: { layers: 62, facts: stretched(168) },
};

/** The models above 1B stretch their global layers' positions. */
function stretched(query_pre_attn_scalar: number): object {
  const rope_scaling = { rope_type: "linear", factor: 8 };
  return { query_pre_attn_scalar, sliding_window: 1024, rope_scaling };
}

/**
 * What a checkpoint that has no config.json, as with ComfyUI's single files, does not show.
 *
 * @throws {ConfigError} When it is none of the published sizes.
 */
function publishedFacts(weights: Weights, width: number | undefined, file: string): object {
  const published = width === undefined ? undefined : PUBLISHED[width];
  if (published !== undefined) return { ...published.facts, num_hidden_layers: published.layers };
  // A graph is also compiled without any weights, to learn which ones it needs.
  if (weights.tensors.size === 0) return {};
  // A GGUF file says it itself.
  if (weights.metadata["general.architecture"] === GGUF_ARCHITECTURE) return {};
  throw new ConfigError(file, [{
    en:
      `there is no config.json, and the weights (hidden_size ${width}) are no published size of ` +
      "Gemma 3, so that nothing says their window and their positions: put the config.json that " +
      "belongs to them beside them, named as they are but ending in .json",
    zh:
      `没有 config.json，而权重（hidden_size ${width}）不是 Gemma 3 已发布的规模，无从得知其窗口和位置编码：` +
      "请把对应的 config.json 放在旁边，文件名与权重相同，扩展名为 .json",
  }]);
}

/** GGUF's word for the architecture, before each of its keys. */
const GGUF_ARCHITECTURE = "gemma3";
/** The largest model's queries are scaled by another width than that of a head (llama.cpp). */
const LARGEST_LAYERS = 62;

/** What llama.cpp's converter states in a GGUF file's metadata, in transformers' words. */
function ggufFacts(
  { metadata }: Weights,
  { hidden_size, head_dim, num_attention_heads }: Shown,
): object {
  if (metadata["general.architecture"] !== GGUF_ARCHITECTURE) return {};
  const stated = (key: string) => {
    const text = metadata[`${GGUF_ARCHITECTURE}.${key}`];
    return text === undefined ? undefined : Number(text);
  };
  const num_hidden_layers = stated("block_count");
  const factor = stated("rope.scaling.factor");
  const scalar = num_hidden_layers === LARGEST_LAYERS && hidden_size && num_attention_heads
    ? hidden_size / num_attention_heads
    : stated("attention.key_length") ?? head_dim;
  const facts = {
    num_hidden_layers,
    rms_norm_eps: stated("attention.layer_norm_rms_epsilon"),
    sliding_window: stated("attention.sliding_window"),
    rope_theta: stated("rope.freq_base"),
    rope_local_base_freq: stated("rope.freq_base_swa"),
    query_pre_attn_scalar: scalar,
    rope_scaling: factor === undefined ? undefined : { rope_type: "linear", factor },
  };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}

/** What shapes tell of a configuration. */
interface Shown {
  readonly hidden_size?: number;
  readonly num_hidden_layers?: number;
  readonly num_attention_heads?: number;
  readonly head_dim?: number;
}

/** What shapes tell. */
function readFromWeights(
  weights: Weights,
): Shown {
  const names = gemma3Names(weights);
  if (names === undefined) return {};
  const extent = (name: string, axis = 0) => names.shape(name)?.[axis];
  const headDim = extent("layers.0.self_attn.q_norm.weight");
  const heads = (name: string) => {
    const rows = extent(`layers.0.self_attn.${name}.weight`);
    return rows === undefined || headDim === undefined ? undefined : rows / headDim;
  };
  const shown = {
    vocab_size: extent("embed_tokens.weight"),
    hidden_size: extent("embed_tokens.weight", 1),
    intermediate_size: extent("layers.0.mlp.gate_proj.weight"),
    num_hidden_layers: countOf(names, (index) => `layers.${index}.input_layernorm.weight`),
    num_attention_heads: heads("q_proj"),
    num_key_value_heads: heads("k_proj"),
    head_dim: headDim,
  };
  return Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined));
}

const STYLE = {
  required: [
    "embed_tokens.weight",
    "layers.0.self_attn.q_norm.weight",
    // Qwen 3 has norms of queries too, but none around its feed-forward.
    "layers.0.pre_feedforward_layernorm.weight",
  ],
  // Gemma 3n's.
  foreign: ["altup_projections.0.weight"],
};

/** The names that llama.cpp gives them in GGUF files. */
export const LLAMA_CPP = {
  required: ["token_embd.weight", "blk.0.attn_q_norm.weight", "blk.0.post_ffw_norm.weight"],
  // Gemma 3n's.
  foreign: ["per_layer_token_embd.weight"],
};

/** Transformers' names, with llama.cpp's for each; the first that fits is meant. */
const LLAMA_CPP_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^embed_tokens\./, "token_embd."],
  [/^norm\./, "output_norm."],
  [/^layers\.(\d+)\.input_layernorm\./, "blk.$1.attn_norm."],
  [/^layers\.(\d+)\.self_attn\.([qkv])_proj\./, "blk.$1.attn_$2."],
  [/^layers\.(\d+)\.self_attn\.o_proj\./, "blk.$1.attn_output."],
  [/^layers\.(\d+)\.self_attn\.([qk])_norm\./, "blk.$1.attn_$2_norm."],
  [/^layers\.(\d+)\.post_attention_layernorm\./, "blk.$1.post_attention_norm."],
  [/^layers\.(\d+)\.pre_feedforward_layernorm\./, "blk.$1.ffn_norm."],
  [/^layers\.(\d+)\.mlp\.(gate|up|down)_proj\./, "blk.$1.ffn_$2."],
  [/^layers\.(\d+)\.post_feedforward_layernorm\./, "blk.$1.post_ffw_norm."],
];

/** llama.cpp's name of a tensor that transformers' Gemma 3 calls so, without `model.`. */
export function gemma3LlamaCppName(name: string): string {
  const rule = LLAMA_CPP_NAMES.find(([pattern]) => pattern.test(name));
  return rule === undefined ? name : name.replace(...rule);
}

/** How a Gemma 3's tensors are named in a file; undefined where there is none. */
export function gemma3Names(weights: Weights): Naming | undefined {
  const found = findNaming(weights, [STYLE, LLAMA_CPP]);
  return found?.style === LLAMA_CPP ? renamed(found, LLAMA_CPP_NAMES) : found;
}

/** How they are named, or would be. */
export function namesOf(weights: Weights): Naming {
  return gemma3Names(weights) ?? naming(weights, STYLE, "model.");
}
