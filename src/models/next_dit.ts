/**
 * NextDiT, the diffusion transformer, with and without CLIP conditioning.
 *
 * The maths is that of NewBieAI-Lab/NewBie-image-Exp0.1 (models/model.py, `NextDiT` and
 * `NextDiT_CLIP`), a descendant of Lumina-Image 2.0 (Qin et al. 2025). Two graphs: what depends on
 * the text alone runs once a prompt, the rest once a step. Each sequence runs at its exact length,
 * so there is neither padding nor a mask.
 *
 * @module
 */
import { z } from "zod";
import { ConfigError, RequestError } from "../errors.ts";
import {
  add,
  addScalar,
  attention,
  cast,
  type CompiledGraph,
  concat,
  cosine,
  depthToSpace,
  type DtypePolicy,
  END,
  Graph,
  INTERFACE_TYPE,
  layerNorm,
  linear,
  mul,
  Parameters,
  reshape,
  rmsNorm,
  rotaryEmbedding,
  silu,
  sine,
  slice,
  spaceToDepth,
  split,
  tanh,
  transpose,
  type Value,
} from "../onnx/mod.ts";
import type { Weights } from "../safetensors/mod.ts";
import { parseConfig } from "./_config.ts";
import { prefixInFile } from "./_names.ts";
import { type RopeTensors, tabulate } from "./_rotary.ts";

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
/** The condition, and the timestep's embedding, are never wider than this. */
const MAX_CONDITION_DIM = 1024;
/** Width of the sinusoid that a timestep becomes first. */
const TIMESTEP_SINUSOID_DIM = 256;
const TIMESTEP_MAX_PERIOD = 10_000;
const ROPE_THETA = 10_000;
/** Upstream builds the norms of queries, keys and pooled text with RMSNorm's own default. */
const DEFAULT_RMS_NORM_EPS = 1e-6;
const FINAL_LAYER_NORM_EPS = 1e-6;

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
    throw new ConfigError(file, [
      `_class_name ${className}: the variant with a CNN is not supported`,
    ]);
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

  const problems: string[] = [];
  const headDim = config.dim / config.n_heads;
  const axesSum = config.axes_dims.reduce((sum, dim) => sum + dim, 0);
  if (headDim !== axesSum) {
    problems.push(`axes_dims add up to ${axesSum}, but dim / n_heads is ${headDim}`);
  }
  if (config.n_heads % n_kv_heads !== 0) {
    problems.push(`n_heads ${config.n_heads} is no multiple of n_kv_heads ${n_kv_heads}`);
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

function namesOf(weights: Weights): (name: string) => string {
  return prefixInFile(weights, "x_embedder.weight", ["", "model.diffusion_model.", "model."]);
}

/** NextDiT as two graphs. */
export interface NextDiTGraphs {
  /**
   * Once a prompt: `caption_features` [B, L, cap_feat_dim], `pooled_features` [B, clip_text_dim]
   * and `caption_{cos,sin}` become `caption` [B, L, dim] and `pooled` [B, clip_text_dim].
   */
  readonly text: CompiledGraph;
  /**
   * Once a step: `latents` [B, C, H, W], `timestep` [B], what the text graph gave, the tables
   * `caption_{cos,sin}` [L, headDim / 2] and `image_{cos,sin}` [N, headDim / 2], `caption_length`
   * [1] = L and `patch_grid` = [B, H / patch, W / patch, patch² · C] become `velocity` [B, C, H, W].
   */
  readonly step: CompiledGraph;
}

/**
 * Compiles NextDiT over its weights.
 *
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function compileNextDiT(
  config: NextDiTConfig,
  weights: Weights,
  policy: DtypePolicy,
): NextDiTGraphs {
  const problems = new Map();
  const component = "transformer";
  const options = { component, nameInFile: namesOf(weights), problems };
  const text = new Graph("next_dit_text");
  const textParameters = new Parameters(text, weights, options);
  buildText(text, config, textParameters, policy);
  const step = new Graph("next_dit_step");
  buildStep(step, config, new Parameters(step, weights, options), policy);
  textParameters.check();
  return { text: text.compile(), step: step.compile() };
}

interface RopeTables {
  readonly cos: Value;
  readonly sin: Value;
}

function buildText(
  graph: Graph,
  config: NextDiTConfig,
  parameters: Parameters,
  { compute }: DtypePolicy,
): void {
  const { dim, cap_feat_dim, clip_text_dim } = config;
  const features = graph.input("caption_features", INTERFACE_TYPE, ["B", "L", cap_feat_dim]);
  const rope = ropeInputs(graph, "caption", "L", config, compute);
  const embedder = parameters.scope("cap_embedder");

  const norm = embedder.get("0.weight", [cap_feat_dim], compute);
  let caption = rmsNorm(cast(features, compute), norm, config.norm_eps);
  caption = linear(
    caption,
    embedder.get("1.weight", [dim, cap_feat_dim], compute),
    embedder.get("1.bias", [dim], compute),
  );
  for (let layer = 0; layer < config.n_refiner_layers; layer++) {
    caption = block(caption, rope, undefined, config, parameters.scope(`context_refiner.${layer}`));
  }
  graph.output("caption", cast(caption, INTERFACE_TYPE), ["B", "L", dim]);

  if (clip_text_dim === undefined) return;
  const pooledFeatures = graph.input("pooled_features", INTERFACE_TYPE, ["B", clip_text_dim]);
  const projection = parameters.scope("clip_text_pooled_proj");
  const pooled = linear(
    rmsNorm(
      cast(pooledFeatures, compute),
      projection.get("0.weight", [clip_text_dim], compute),
      DEFAULT_RMS_NORM_EPS,
    ),
    projection.get("1.weight", [clip_text_dim, clip_text_dim], compute),
    projection.get("1.bias", [clip_text_dim], compute),
  );
  graph.output("pooled", cast(pooled, INTERFACE_TYPE), ["B", clip_text_dim]);
}

function buildStep(
  graph: Graph,
  config: NextDiTConfig,
  parameters: Parameters,
  { compute }: DtypePolicy,
): void {
  const { dim, patch_size, in_channels } = config;
  const latents = graph.input("latents", INTERFACE_TYPE, ["B", in_channels, "H", "W"]);
  const caption = graph.input("caption", INTERFACE_TYPE, ["B", "L", dim]);
  const captionLength = graph.input("caption_length", "int64", [1]);
  const patchGrid = graph.input("patch_grid", "int64", [4]);
  const captionRope = ropeInputs(graph, "caption", "L", config, compute);
  const imageRope = ropeInputs(graph, "image", "N", config, compute);
  const wholeRope = {
    cos: concat([captionRope.cos, imageRope.cos], 0),
    sin: concat([captionRope.sin, imageRope.sin], 0),
  };
  const condition = silu(buildCondition(graph, config, parameters, compute));

  // Patchify: [B, C, H, W] → [B, H/p, W/p, p²C] → [B, N, p²C]
  const patchFeatures = patch_size ** 2 * in_channels;
  const patches = reshape(
    transpose(spaceToDepth(latents, patch_size), [0, 2, 3, 1]),
    [0, -1, patchFeatures],
  );
  const embedder = parameters.scope("x_embedder");
  let image = linear(
    cast(patches, compute),
    embedder.get("weight", [dim, patchFeatures], compute),
    embedder.get("bias", [dim], compute),
  );
  for (let layer = 0; layer < config.n_refiner_layers; layer++) {
    image = block(image, imageRope, condition, config, parameters.scope(`noise_refiner.${layer}`));
  }

  let x = concat([cast(caption, compute), image], 1);
  for (let layer = 0; layer < config.n_layers; layer++) {
    x = block(x, wholeRope, condition, config, parameters.scope(`layers.${layer}`));
  }

  // The final layer works token by token, so the caption's tokens can go before it.
  image = slice(x, captionLength, END, 1);
  const final = parameters.scope("final_layer");
  const conditionDim = Math.min(dim, MAX_CONDITION_DIM);
  const finalScale = linear(
    condition,
    final.get("adaLN_modulation.1.weight", [dim, conditionDim], compute),
    final.get("adaLN_modulation.1.bias", [dim], compute),
  );
  const ones = graph.vector(new Array<number>(dim).fill(1), compute);
  const normalised = layerNorm(image, ones, undefined, FINAL_LAYER_NORM_EPS);
  const output = linear(
    mul(normalised, addScalar(finalScale, 1)),
    final.get("linear.weight", [patchFeatures, dim], compute),
    final.get("linear.bias", [patchFeatures], compute),
  );
  const grid = reshape(cast(output, INTERFACE_TYPE), patchGrid);
  const velocity = depthToSpace(transpose(grid, [0, 3, 1, 2]), patch_size);
  graph.output("velocity", velocity, ["B", in_channels, "H", "W"]);
}

/** What timestep and pooled text ask of every block: [B, 1, min(dim, 1024)]. */
function buildCondition(
  graph: Graph,
  config: NextDiTConfig,
  parameters: Parameters,
  compute: DtypePolicy["compute"],
): Value {
  const conditionDim = Math.min(config.dim, MAX_CONDITION_DIM);
  const timestep = graph.input("timestep", INTERFACE_TYPE, ["B"]);
  const half = TIMESTEP_SINUSOID_DIM / 2;
  const frequencies = Array.from(
    { length: half },
    (_, index) => TIMESTEP_MAX_PERIOD ** (-index / half),
  );
  const angles = mul(reshape(timestep, [-1, 1, 1]), graph.vector(frequencies, INTERFACE_TYPE));
  const sinusoid = cast(concat([cosine(angles), sine(angles)], -1), compute);

  const mlp = parameters.scope("t_embedder.mlp");
  const hidden = linear(
    sinusoid,
    mlp.get("0.weight", [conditionDim, TIMESTEP_SINUSOID_DIM], compute),
    mlp.get("0.bias", [conditionDim], compute),
  );
  const embedded = linear(
    silu(hidden),
    mlp.get("2.weight", [conditionDim, conditionDim], compute),
    mlp.get("2.bias", [conditionDim], compute),
  );
  const { clip_text_dim } = config;
  if (clip_text_dim === undefined) return embedded;

  const pooled = graph.input("pooled", INTERFACE_TYPE, ["B", clip_text_dim]);
  const joint = concat([embedded, reshape(cast(pooled, compute), [0, 1, clip_text_dim])], -1);
  return linear(
    silu(joint),
    parameters.get(
      "time_text_embed.1.weight",
      [conditionDim, conditionDim + clip_text_dim],
      compute,
    ),
    parameters.get("time_text_embed.1.bias", [conditionDim], compute),
  );
}

/** `JointTransformerBlock`; without a condition there is no modulation (the context refiner's). */
function block(
  x: Value,
  rope: RopeTables,
  condition: Value | undefined,
  config: NextDiTConfig,
  parameters: Parameters,
): Value {
  const { dim, norm_eps } = config;
  const compute = floatTypeOf(x);
  const norm = (x: Value, name: string) =>
    rmsNorm(x, parameters.get(`${name}.weight`, [dim], compute), norm_eps);

  if (condition === undefined) {
    const attended = selfAttention(norm(x, "attention_norm1"), rope, config, parameters);
    x = add(x, norm(attended, "attention_norm2"));
    const fed = feedForward(norm(x, "ffn_norm1"), config, parameters);
    return add(x, norm(fed, "ffn_norm2"));
  }

  const modulation = linear(
    condition,
    parameters.get(
      "adaLN_modulation.1.weight",
      [4 * dim, Math.min(dim, MAX_CONDITION_DIM)],
      compute,
    ),
    parameters.get("adaLN_modulation.1.bias", [4 * dim], compute),
  );
  const [scaleAttention, gateAttention, scaleFeed, gateFeed] = split(
    modulation,
    [dim, dim, dim, dim],
    -1,
  ) as [Value, Value, Value, Value];
  const attentionInput = mul(norm(x, "attention_norm1"), addScalar(scaleAttention, 1));
  const attended = selfAttention(attentionInput, rope, config, parameters);
  x = add(x, mul(tanh(gateAttention), norm(attended, "attention_norm2")));
  const feedInput = mul(norm(x, "ffn_norm1"), addScalar(scaleFeed, 1));
  const fed = feedForward(feedInput, config, parameters);
  return add(x, mul(tanh(gateFeed), norm(fed, "ffn_norm2")));
}

function selfAttention(
  x: Value,
  rope: RopeTables,
  config: NextDiTConfig,
  parameters: Parameters,
): Value {
  const { dim, n_heads, n_kv_heads } = config;
  const compute = floatTypeOf(x);
  const headDim = dim / n_heads;
  const [queryDim, keyDim] = [n_heads * headDim, n_kv_heads * headDim];
  const scope = parameters.scope("attention");
  const qkv = linear(x, scope.matrix("qkv.weight", [queryDim + 2 * keyDim, dim], compute));
  const [q, k, v] = split(qkv, [queryDim, keyDim, keyDim], -1) as [Value, Value, Value];

  const position = (x: Value, width: number, heads: number, name: string) => {
    if (config.qk_norm) {
      const weight = scope.get(`${name}.weight`, [headDim], compute);
      const perHead = rmsNorm(reshape(x, [0, 0, heads, headDim]), weight, DEFAULT_RMS_NORM_EPS);
      x = reshape(perHead, [0, 0, width]);
    }
    return rotaryEmbedding(x, rope, heads, "adjacent");
  };
  const attended = attention(
    position(q, queryDim, n_heads, "q_norm"),
    position(k, keyDim, n_kv_heads, "k_norm"),
    v,
    { heads: n_heads, keyValueHeads: n_kv_heads, scale: headDim ** -0.5 },
  );
  return linear(attended, scope.matrix("out.weight", [dim, queryDim], compute));
}

/** w2(silu(w1 x) · w3 x) (Shazeer 2020, SwiGLU). */
function feedForward(x: Value, config: NextDiTConfig, parameters: Parameters): Value {
  const { dim } = config;
  const compute = floatTypeOf(x);
  const hidden = feedForwardDim(config);
  const scope = parameters.scope("feed_forward");
  const gate = silu(linear(x, scope.matrix("w1.weight", [hidden, dim], compute)));
  const value = linear(x, scope.matrix("w3.weight", [hidden, dim], compute));
  return linear(mul(gate, value), scope.matrix("w2.weight", [dim, hidden], compute));
}

/** 4 · dim, times the multiplier if any, rounded up to `multiple_of`. */
function feedForwardDim({ dim, ffn_dim_multiplier, multiple_of }: NextDiTConfig): number {
  const wanted = ffn_dim_multiplier === null ? 4 * dim : Math.trunc(ffn_dim_multiplier * 4 * dim);
  return multiple_of * Math.ceil(wanted / multiple_of);
}

function ropeInputs(
  graph: Graph,
  name: string,
  length: string,
  { dim, n_heads }: NextDiTConfig,
  compute: DtypePolicy["compute"],
): RopeTables {
  const dims = [length, dim / n_heads / 2];
  return {
    cos: cast(graph.input(`${name}_cos`, INTERFACE_TYPE, dims), compute),
    sin: cast(graph.input(`${name}_sin`, INTERFACE_TYPE, dims), compute),
  };
}

function floatTypeOf(x: Value): DtypePolicy["compute"] {
  return x.type as DtypePolicy["compute"];
}

/**
 * Checks that a caption and an image have places in the rotary tables.
 *
 * @throws {RequestError} When a position lies beyond `axes_lens`.
 */
export function checkPlaces(
  { axes_lens }: NextDiTConfig,
  captionLength: number,
  rows: number,
  columns: number,
): void {
  const [captionLimit, rowLimit, columnLimit] = axes_lens as [number, number, number];
  if (captionLength >= captionLimit) {
    throw new RequestError(
      `The prompt has ${captionLength} tokens; this transformer places at most ` +
        `${captionLimit - 1} (axes_lens[0] = ${captionLimit}). Shorten the prompt.`,
    );
  }
  if (rows > rowLimit || columns > columnLimit) {
    throw new RequestError(
      `The picture is ${rows} × ${columns} patches; this transformer places at most ` +
        `${rowLimit} × ${columnLimit} (axes_lens). Ask for a smaller picture.`,
    );
  }
}

/**
 * The rotary tables for a caption and an image. Caption token i stands at (i, 0, 0), the patch at
 * row r and column c at (caption length, r, c). Angles are computed in float64 and rounded to
 * float32 before the cosine, as upstream's `precompute_freqs_cis` does.
 *
 * @param captionLength Caption tokens.
 * @param rows Patches down.
 * @param columns Patches across.
 * @throws {RequestError} When a position lies beyond `axes_lens`.
 */
export function nextDiTRopeTables(
  config: NextDiTConfig,
  captionLength: number,
  rows: number,
  columns: number,
): { caption: RopeTensors; image: RopeTensors } {
  checkPlaces(config, captionLength, rows, columns);
  const frequencies = config.axes_dims.flatMap((dim, axis) =>
    Array.from({ length: dim / 2 }, (_, index) => {
      return { axis, frequency: ROPE_THETA ** (-2 * index / dim) };
    })
  );
  const tables = (length: number, position: (index: number) => readonly number[]) => {
    const positions = Array.from({ length }, (_, index) => position(index));
    return tabulate(length, frequencies.length, (row, column) => {
      const { axis, frequency } = frequencies[column]!;
      return Math.fround(positions[row]![axis]! * frequency);
    });
  };
  return {
    caption: tables(captionLength, (token) => [token, 0, 0]),
    image: tables(rows * columns, (patch) => {
      return [captionLength, Math.floor(patch / columns), patch % columns];
    }),
  };
}
