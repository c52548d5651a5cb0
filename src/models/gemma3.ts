/**
 * Gemma 3's text model up to the features that NewBie takes from it.
 *
 * The maths is that of transformers (models/gemma3, `Gemma3TextModel`) after the Gemma 3 technical
 * report (2025). The features are `hidden_states[-2]`, the input of the last layer, so that the
 * last layer, the final norm and the head are not in the graph at all.
 *
 * @module
 */
import * as z from "zod";
import {
  type Adaptation,
  add,
  addRmsNorm,
  addScalar,
  attention,
  cast,
  type CompiledGraph,
  type DtypePolicy,
  type FloatType,
  gelu,
  Graph,
  INTERFACE_TYPE,
  less,
  linear,
  mul,
  Parameters,
  reshape,
  rmsNorm,
  rotaryEmbedding,
  scale,
  sub,
  type Value,
  withoutOwnOperators,
} from "../onnx/mod.ts";
import { ConfigError } from "../errors.ts";
import type { Texts } from "../language.ts";
import type { TensorEntry, Weights } from "../safetensors/mod.ts";
import { inSchema } from "../schema_problems.ts";
import { parseConfig } from "./_config.ts";
import { expectWithinWeights } from "./_limits.ts";
import { countOf, findNaming, type Naming, naming, renamed } from "./names.ts";
import { languageRopeTables, type RopeTensors } from "./_rotary.ts";
import { cutEvenly } from "./_segments.ts";

/** The longest prompt that NewBie gives Gemma, in tokens. */
export const GEMMA3_MAX_TOKENS = 512;

/** The two kinds of layers: those that see everything before them, and those with a window. */
type LayerType = "full_attention" | "sliding_attention";

/** How one kind of layer turns positions into angles. */
interface RopeParameters {
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
const LLAMA_CPP = {
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

function namesOf(weights: Weights): Naming {
  return gemma3Names(weights) ?? naming(weights, STYLE, "model.");
}

/** Gemma 3 as graphs, and the table that stays on disk. */
export interface Gemma3Graphs {
  /**
   * One after the other, each with its share of the layers. All take the tables `full_{cos,sin}` and
   * `sliding_{cos,sin}` [L, head_dim / 2], and with a window shorter than the longest prompt
   * `positions` [L] = 0, 1, 2…. The first takes `embeddings` [1, L, hidden_size], as stored, the
   * others `hidden` as their predecessor gave it; the last gives `features` [1, L, hidden_size].
   */
  readonly graphs: readonly CompiledGraph[];
  /** The embedding table [vocab_size, hidden_size], to be read by row. */
  readonly embeddings: TensorEntry;
}

/**
 * Compiles Gemma 3 over its weights.
 *
 * @param segments How many graphs to cut it into, so that no more than one has to be loaded at a
 *   time.
 * @param adaptation What adapters change; each graph then takes their weights, too.
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function compileGemma3(
  config: Gemma3Config,
  weights: Weights,
  policy: DtypePolicy,
  segments = 1,
  adaptation?: Adaptation,
): Gemma3Graphs {
  const { text: compute } = policy;
  const { hidden_size, vocab_size, layer_types } = config;
  const { nameInFile, style } = namesOf(weights);
  // llama.cpp has added it to the weights of norms, where transformers' arithmetic does.
  const normOffset = style === LLAMA_CPP ? 0 : 1;
  const options = { nameInFile, problems: new Map(), adaptation };
  const parts = cutEvenly(layer_types.length - 1, segments);
  // It runs once a prompt: only the memory of its matrices matters, and they lose less than rows would.
  const graphPolicy = policy.products === undefined
    ? withoutOwnOperators(policy)
    : { ...policy, products: "int8 matrices" } as const;
  const built = parts.map(({ from, to }) => {
    const graph = new Graph("gemma3", graphPolicy);
    const parameters = new Parameters(graph, weights, options);
    const layers = layer_types.slice(from, to);
    const context = layerContext(graph, config, layers, compute, normOffset);
    const isFirst = from === 0;
    const input = graph.input(isFirst ? "embeddings" : "hidden", INTERFACE_TYPE, [
      1,
      "L",
      hidden_size,
    ]);
    let x = cast(input, compute);
    // In the type of arithmetic the factor is rounded too, as transformers rounds it.
    if (isFirst) x = scale(x, Math.sqrt(hidden_size));
    const places = layers.map((type, index) => ({
      context: context[type],
      parameters: parameters.scope(`layers.${from + index}`),
    }));
    x = runLayers(x, places, config, compute);
    const isLast = to === layer_types.length - 1;
    const output = cast(x, INTERFACE_TYPE);
    graph.output(isLast ? "features" : "hidden_out", output, [1, "L", hidden_size]);
    return { graph, parameters };
  });
  const { parameters } = built[0]!;
  const embeddings = parameters.entry("embed_tokens.weight", [vocab_size, hidden_size]);
  parameters.check();
  return { graphs: built.map(({ graph }) => graph.compile()), embeddings: embeddings! };
}

/** What layers of one type share. */
interface LayerContext {
  readonly rope: { readonly cos: Value; readonly sin: Value };
  readonly mask?: Value;
  /** What is added to the weights of norms. */
  readonly normOffset: number;
}

function layerContext(
  graph: Graph,
  { head_dim, sliding_window }: Gemma3Config,
  layers: readonly LayerType[],
  compute: FloatType,
  normOffset: number,
): Record<LayerType, LayerContext> {
  const rope = (name: string) => ({
    cos: cast(graph.input(`${name}_cos`, INTERFACE_TYPE, ["L", head_dim / 2]), compute),
    sin: cast(graph.input(`${name}_sin`, INTERFACE_TYPE, ["L", head_dim / 2]), compute),
  });
  const context: Record<LayerType, LayerContext> = {
    full_attention: { rope: rope("full"), normOffset },
    sliding_attention: { rope: rope("sliding"), normOffset },
  };
  if (sliding_window < GEMMA3_MAX_TOKENS && layers.includes("sliding_attention")) {
    const positions = graph.input("positions", INTERFACE_TYPE, ["L"]);
    const distance = sub(reshape(positions, [-1, 1]), reshape(positions, [1, -1]));
    const mask = less(distance, graph.scalar(sliding_window, INTERFACE_TYPE));
    context.sliding_attention = { ...context.sliding_attention, mask };
  }
  return context;
}

/** A layer's place: its weights, and what it shares with others of its type. */
interface LayerPlace {
  readonly context: LayerContext;
  readonly parameters: Parameters;
}

/** `Gemma3DecoderLayer`s: a norm before and a norm after both attention and feed-forward. */
function runLayers(
  x: Value,
  places: readonly LayerPlace[],
  config: Gemma3Config,
  compute: FloatType,
): Value {
  const { hidden_size: width, rms_norm_eps: epsilon } = config;
  const weight = ({ parameters, context }: LayerPlace, name: string) =>
    gemmaNormWeight(parameters, context, name, width, compute);
  const norm = (x: Value, place: LayerPlace, name: string) =>
    rmsNorm(x, weight(place, name), { epsilon, width, shape: [1, -1, width] });
  const [first] = places;
  if (first === undefined) return x;
  let normalised = norm(x, first, "input_layernorm");
  places.forEach((place, index) => {
    const { context, parameters } = place;
    const attended = selfAttention(
      normalised,
      context,
      config,
      parameters.scope("self_attn"),
      compute,
    );
    ({ sum: x, normalised } = addRmsNorm(
      norm(attended, place, "post_attention_layernorm"),
      x,
      weight(place, "pre_feedforward_layernorm"),
      epsilon,
    ));
    const fed = feedForward(normalised, config, parameters.scope("mlp"), compute);
    const update = norm(fed, place, "post_feedforward_layernorm");
    const next = places[index + 1];
    if (next === undefined) {
      x = add(x, update);
    } else {
      ({ sum: x, normalised } = addRmsNorm(update, x, weight(next, "input_layernorm"), epsilon));
    }
  });
  return x;
}

/** Gemma's RMS norm multiplies by 1 + weight. */
function gemmaNormWeight(
  parameters: Parameters,
  { normOffset }: LayerContext,
  name: string,
  width: number,
  compute: FloatType,
): Value {
  const weight = parameters.get(`${name}.weight`, [width], INTERFACE_TYPE);
  return cast(normOffset === 0 ? weight : addScalar(weight, normOffset), compute);
}

function selfAttention(
  x: Value,
  context: LayerContext,
  config: Gemma3Config,
  parameters: Parameters,
  compute: FloatType,
): Value {
  const { rope, mask } = context;
  const { hidden_size, head_dim, rms_norm_eps } = config;
  const { num_attention_heads: heads, num_key_value_heads: keyValueHeads } = config;
  const project = (x: Value, name: string, from: number, to: number) =>
    linear(
      x,
      parameters.matrix(`${name}.weight`, [to, from], compute),
      config.attention_bias ? parameters.get(`${name}.bias`, [to], compute) : undefined,
    );
  const position = (x: Value, heads: number, name: string) => {
    const normalised = rmsNorm(x, gemmaNormWeight(parameters, context, name, head_dim, compute), {
      epsilon: rms_norm_eps,
      width: head_dim,
      shape: [1, -1, heads * head_dim],
    });
    return rotaryEmbedding(normalised, rope, heads, "halves");
  };
  const q = project(x, "q_proj", hidden_size, heads * head_dim);
  const k = project(x, "k_proj", hidden_size, keyValueHeads * head_dim);
  const v = project(x, "v_proj", hidden_size, keyValueHeads * head_dim);
  const attended = attention(
    position(q, heads, "q_norm"),
    position(k, keyValueHeads, "k_norm"),
    v,
    {
      heads,
      keyValueHeads,
      headDim: head_dim,
      scale: config.query_pre_attn_scalar ** -0.5,
      causal: true,
      ...(mask === undefined ? {} : { mask }),
    },
  );
  return project(attended, "o_proj", heads * head_dim, hidden_size);
}

/** down(gelu(gate x) · up x) (Shazeer 2020, GEGLU). */
function feedForward(
  x: Value,
  { hidden_size, intermediate_size, hidden_activation }: Gemma3Config,
  parameters: Parameters,
  compute: FloatType,
): Value {
  const inner = [intermediate_size, hidden_size] as const;
  const gate = linear(x, parameters.matrix("gate_proj.weight", inner, compute));
  const up = linear(x, parameters.matrix("up_proj.weight", inner, compute));
  const activated = gelu(gate, hidden_activation === "gelu" ? "none" : "tanh");
  const down = parameters.matrix("down_proj.weight", [hidden_size, intermediate_size], compute);
  return linear(mul(activated, up), down);
}

/** The rotary tables for a prompt, by layer type; each [length, head_dim / 2]. */
export function gemma3RopeTables(
  { head_dim, rope }: Gemma3Config,
  length: number,
): Readonly<Record<LayerType, RopeTensors>> {
  const tables = ({ theta, factor }: RopeParameters) =>
    languageRopeTables(length, head_dim, theta, factor);
  return {
    full_attention: tables(rope.full_attention),
    sliding_attention: tables(rope.sliding_attention),
  };
}
