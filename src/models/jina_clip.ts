/**
 * The text tower of Jina CLIP v2: XLM-RoBERTa with rotary positions, mean-pooled.
 *
 * The maths is that of jinaai/xlm-roberta-flash-implementation, which ComfyUI
 * (comfy/text_encoders/jina_clip_2.py) and transformers (`JinaEmbeddingsV3Model`) also follow. The
 * official checkpoint keeps a low-rank adapter (Hu et al. 2021) beside each weight and applies the
 * one of its default task to every text (jina-clip-implementation, hf_model.py); repacked
 * checkpoints have it merged.
 *
 * @module
 */
import * as z from "zod";
import {
  type Adaptation,
  add,
  affine,
  attention,
  cast,
  type CompiledGraph,
  type DtypePolicy,
  type FloatType,
  gelu,
  Graph,
  INTERFACE_TYPE,
  layerNorm,
  linear,
  matmul,
  mean,
  Parameters,
  reshape,
  rotaryEmbedding,
  scale,
  slice,
  split,
  type Value,
  withoutOwnOperators,
} from "../onnx/mod.ts";
import { ConfigError } from "../errors.ts";
import type { TensorEntry, Weights } from "../safetensors/mod.ts";
import { parseConfig } from "./_config.ts";
import { expectWithinWeights } from "./_limits.ts";
import { countOf, findNaming, type Naming, naming } from "./names.ts";
import { languageRopeTables, type RopeTensors } from "./_rotary.ts";

/** The longest prompt that NewBie gives Jina CLIP, in tokens. */
export const JINA_CLIP_MAX_TOKENS = 2048;

/** Which of the stored low-rank adapters to apply. */
interface Adapter {
  /** Its place among the adapters. */
  readonly index: number;
  /** How many there are. */
  readonly count: number;
  readonly rank: number;
  /** Factor on its contribution: alpha / rank. */
  readonly scale: number;
}

/** A text tower's configuration, complete. */
export interface JinaClipConfig {
  readonly vocab_size: number;
  readonly type_vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  readonly layer_norm_eps: number;
  readonly rotary_emb_base: number;
  readonly adapter?: Adapter;
}

const count = z.int().positive();
const schema = z.object({
  vocab_size: count.default(250_002),
  type_vocab_size: z.int().nonnegative().default(1),
  hidden_size: count.default(1024),
  num_hidden_layers: count.default(24),
  num_attention_heads: count.default(16),
  intermediate_size: count.default(4096),
  hidden_act: z.literal("gelu").default("gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
  rotary_emb_base: z.number().positive().default(20_000),
  position_embedding_type: z.literal("rotary").default("rotary"),
  pooler_type: z.literal("mean_pooler").default("mean_pooler"),
  proj_type: z.null().optional(),
  default_lora_task: z.string().nullish(),
  lora_adaptations: z.array(z.string()).nullish(),
  lora_rank: count.default(4),
  lora_alpha: z.number().positive().default(1),
});
const nested = z.record(z.string(), z.unknown()).nullish();
const outerSchema = z.object({ text_config: nested }).loose();
const textSchema = z.object({ hf_model_config_kwargs: nested }).loose();

/**
 * Reads XLM-RoBERTa's config.json, or Jina CLIP's with the text tower's part inside it.
 *
 * @param json The parsed config.json; absent when there is none: then the weights tell.
 * @param file Its path, for messages.
 * @throws {ConfigError} When a key has a wrong value.
 */
export function parseJinaClipConfig(
  json: unknown,
  file: string,
  weights: Weights,
): JinaClipConfig {
  const outer = parseConfig(outerSchema, json ?? {}, file);
  const text = parseConfig(textSchema, outer.text_config ?? outer, file);
  const known: Record<string, unknown> = {
    ...readFromWeights(weights),
    ...text,
    ...text.hf_model_config_kwargs,
  };
  const config = parseConfig(schema, known, file);
  const { hidden_size, num_attention_heads, default_lora_task: task, lora_rank } = config;
  if (known.num_attention_heads === undefined && json === undefined && weights.tensors.size > 0) {
    throw new ConfigError(file, [{
      en: `there is no config.json, and the weights do not show how many heads a width of ` +
        `${hidden_size} is cut into: put the config.json that belongs to them beside them, named as ` +
        "they are but ending in .json",
      zh:
        `没有 config.json，而权重本身看不出宽度 ${hidden_size} 分成多少个注意力头：请把对应的 config.json ` +
        "放在旁边，文件名与权重相同，扩展名为 .json",
    }]);
  }
  expectWithinWeights(file, weights, {
    counts: { num_hidden_layers: config.num_hidden_layers },
    widths: {
      vocab_size: config.vocab_size,
      hidden_size,
      intermediate_size: config.intermediate_size,
      lora_rank,
    },
  });
  if (hidden_size % (2 * num_attention_heads) !== 0) {
    throw new ConfigError(file, [{
      en: `hidden_size ${hidden_size} does not give ${num_attention_heads} heads of an even width`,
      zh: `hidden_size ${hidden_size} 不能分成 ${num_attention_heads} 个宽度为偶数的注意力头`,
    }]);
  }
  const adapters = config.lora_adaptations ?? [];
  if (!task || adapters.length === 0) return config;
  const index = adapters.indexOf(task);
  if (index < 0) {
    throw new ConfigError(file, [{
      en: `default_lora_task "${task}" is not among lora_adaptations (${adapters.join(", ")})`,
      zh: `default_lora_task “${task}” 不在 lora_adaptations（${adapters.join("、")}）之中`,
    }]);
  }
  const adapter = {
    index,
    count: adapters.length,
    rank: lora_rank,
    scale: config.lora_alpha / lora_rank,
  };
  return { ...config, adapter };
}

/** Every published size has heads of this width. */
const PUBLISHED_HEAD_DIM = 64;

/** What shapes tell, and that all published sizes have heads of one width. */
function readFromWeights(weights: Weights): Record<string, unknown> {
  const names = jinaClipNames(weights);
  if (names === undefined) return {};
  const [vocabSize, hiddenSize] = names.shape("embeddings.word_embeddings.weight") ?? [];
  if (!vocabSize || !hiddenSize) return {};
  const width = names.shape("encoder.layers.0.mlp.fc1.weight")?.[0];
  return {
    vocab_size: vocabSize,
    type_vocab_size: names.shape("embeddings.token_type_embeddings.weight")?.[0] ?? 0,
    hidden_size: hiddenSize,
    num_hidden_layers: countOf(names, (index) => `encoder.layers.${index}.norm1.weight`),
    ...(hiddenSize % PUBLISHED_HEAD_DIM === 0
      ? { num_attention_heads: hiddenSize / PUBLISHED_HEAD_DIM }
      : {}),
    ...(width === undefined ? {} : { intermediate_size: width }),
  };
}

const STYLE = {
  required: ["embeddings.word_embeddings.weight", "encoder.layers.0.mixer.Wqkv.weight"],
};

/** How a text tower's tensors are named in a file; undefined where there is none. */
export function jinaClipNames(weights: Weights): Naming | undefined {
  return findNaming(weights, [STYLE]);
}

function namesOf(weights: Weights): Naming {
  return jinaClipNames(weights) ?? naming(weights, STYLE, "model.");
}

/** The text tower as a graph, and the tables that stay on disk. */
export interface JinaClipGraph {
  /**
   * `embeddings` [1, L, hidden_size], as stored, `cos` and `sin` [L, headDim / 2], and with an
   * adapter `adapter_rows` [1, L, rank], become `pooled` [1, hidden_size].
   */
  readonly graph: CompiledGraph;
  /** The embedding table [vocab_size, hidden_size], to be read by row. */
  readonly embeddings: TensorEntry;
  /** The adapter's own table [vocab_size, rank], to be read by row. */
  readonly adapterRows?: TensorEntry;
}

/**
 * Compiles the text tower over its weights.
 *
 * @param _segments It is not cut.
 * @param adaptation What adapters change; the graph then takes their weights, too.
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function compileJinaClip(
  config: JinaClipConfig,
  weights: Weights,
  policy: DtypePolicy,
  _segments?: number,
  adaptation?: Adaptation,
): JinaClipGraph {
  const graph = new Graph("jina_clip", withoutOwnOperators(policy));
  const { text: compute } = policy;
  const { hidden_size, vocab_size, type_vocab_size, num_attention_heads, adapter } = config;
  const { nameInFile } = namesOf(weights);
  const parameters = new Parameters(graph, weights, { nameInFile, adaptation });
  const input = graph.input("embeddings", INTERFACE_TYPE, [1, "L", hidden_size]);
  const headDim = hidden_size / num_attention_heads;
  const rope = {
    cos: cast(graph.input("cos", INTERFACE_TYPE, ["L", headDim / 2]), compute),
    sin: cast(graph.input("sin", INTERFACE_TYPE, ["L", headDim / 2]), compute),
  };
  const tower = { config, compute, rope };
  const tables = parameters.scope("embeddings");
  const embeddings = tables.entry("word_embeddings.weight", [vocab_size, hidden_size]);

  // What runs from layer to layer, and the norms that end each, stay in float32: on a GPU a tower of
  // norms rounded to bfloat16 has a third more error, and this one is small.
  let x = input;
  let adapterRows: TensorEntry | undefined;
  if (adapter !== undefined) {
    const { rank } = adapter;
    adapterRows = ofAdapter(
      tables.entry("word_embeddings.lora_A", [adapter.count, vocab_size, rank]),
      adapter,
    );
    const rows = graph.input("adapter_rows", INTERFACE_TYPE, [1, "L", rank]);
    const up = tables.get(
      "word_embeddings.lora_B",
      [adapter.count, rank, hidden_size],
      INTERFACE_TYPE,
    );
    x = add(x, scale(matmul(rows, matrixOf(up, adapter, [rank, hidden_size])), adapter.scale));
  }
  if (type_vocab_size > 0) x = add(x, tokenType(tables, tower));
  x = norm(x, parameters, "emb_ln", tower);
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const scope = parameters.scope(`encoder.layers.${layer}`);
    const attended = selfAttention(cast(x, compute), scope.scope("mixer"), tower);
    x = norm(add(x, cast(attended, INTERFACE_TYPE)), scope, "norm1", tower);
    const fed = feedForward(cast(x, compute), scope.scope("mlp"), tower);
    x = norm(add(x, cast(fed, INTERFACE_TYPE)), scope, "norm2", tower);
  }
  graph.output("pooled", mean(x, 1), [1, hidden_size]);
  parameters.check();
  return {
    graph: graph.compile(),
    embeddings: embeddings!,
    ...(adapterRows === undefined ? {} : { adapterRows }),
  };
}

/** What every part of the tower needs. */
interface Tower {
  readonly config: JinaClipConfig;
  readonly compute: FloatType;
  readonly rope: { readonly cos: Value; readonly sin: Value };
}

/** The embedding of token type 0, the only one in use: [1, hidden_size]. */
function tokenType(tables: Parameters, { config }: Tower): Value {
  const { type_vocab_size: types, hidden_size, adapter } = config;
  const table = tables.get("token_type_embeddings.weight", [types, hidden_size], INTERFACE_TYPE);
  const row = slice(table, 0, 1, 0);
  if (adapter === undefined) return row;
  const { count, rank } = adapter;
  const down = tables.get("token_type_embeddings.lora_A", [count, types, rank], INTERFACE_TYPE);
  const up = tables.get("token_type_embeddings.lora_B", [count, rank, hidden_size], INTERFACE_TYPE);
  const adapterRow = slice(matrixOf(down, adapter, [types, rank]), 0, 1, 0);
  return add(
    row,
    scale(matmul(adapterRow, matrixOf(up, adapter, [rank, hidden_size])), adapter.scale),
  );
}

function norm(x: Value, parameters: Parameters, name: string, { config }: Tower): Value {
  const shape = [config.hidden_size];
  return layerNorm(
    x,
    parameters.get(`${name}.weight`, shape, INTERFACE_TYPE),
    parameters.get(`${name}.bias`, shape, INTERFACE_TYPE),
    config.layer_norm_eps,
  );
}

function selfAttention(x: Value, parameters: Parameters, tower: Tower): Value {
  const { hidden_size: width, num_attention_heads: heads } = tower.config;
  const qkv = project(x, parameters, "Wqkv", width, 3 * width, tower);
  const [q, k, v] = split(qkv, [width, width, width], -1) as [Value, Value, Value];
  const attended = attention(
    rotaryEmbedding(q, tower.rope, heads, "halves"),
    rotaryEmbedding(k, tower.rope, heads, "halves"),
    v,
    { heads, keyValueHeads: heads, headDim: width / heads, scale: (width / heads) ** -0.5 },
  );
  return project(attended, parameters, "out_proj", width, width, tower);
}

function feedForward(x: Value, parameters: Parameters, tower: Tower): Value {
  const { hidden_size, intermediate_size } = tower.config;
  const hidden = project(x, parameters, "fc1", hidden_size, intermediate_size, tower);
  return project(gelu(hidden, "none"), parameters, "fc2", intermediate_size, hidden_size, tower);
}

/** A linear layer with its adapter: x·Wᵀ + b + scale · (x·Aᵀ)·Bᵀ. */
function project(
  x: Value,
  parameters: Parameters,
  name: string,
  from: number,
  to: number,
  { config: { adapter }, compute }: Tower,
): Value {
  const projected = affine(
    x,
    parameters.plainMatrix(`${name}.weight`, [to, from], compute),
    parameters.get(`${name}.bias`, [to], compute),
    { width: from, shape: [1, -1, to] },
  );
  if (adapter === undefined) return projected;
  const { count, rank } = adapter;
  const down = parameters.get(`${name}.lora_A`, [count, rank, from], compute);
  const up = parameters.get(`${name}.lora_B`, [count, to, rank], compute);
  const low = linear(x, matrixOf(down, adapter, [rank, from]));
  return add(projected, scale(linear(low, matrixOf(up, adapter, [to, rank])), adapter.scale));
}

/** The chosen adapter's matrix out of all adapters' [count, rows, columns]. */
function matrixOf(stack: Value, { index }: Adapter, shape: readonly [number, number]): Value {
  return reshape(slice(stack, index, index + 1, 0), shape);
}

/** The part of a stacked table that belongs to the chosen adapter: [rows, columns]. */
function ofAdapter(
  stack: TensorEntry | undefined,
  { index, count }: Adapter,
): TensorEntry | undefined {
  if (stack === undefined) return undefined;
  const byteLength = stack.byteLength / count;
  const offset = stack.offset + index * byteLength;
  return { ...stack, shape: stack.shape.slice(1), offset, byteLength };
}

/** The rotary tables for a prompt; each [length, headDim / 2]. */
export function jinaClipRopeTables(config: JinaClipConfig, length: number): RopeTensors {
  const headDim = config.hidden_size / config.num_attention_heads;
  return languageRopeTables(length, headDim, config.rotary_emb_base);
}
