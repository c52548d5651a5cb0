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
import {
  type Adaptation,
  add,
  addScalar,
  affine,
  attention,
  canSplitHeads,
  cast,
  type CompiledGraph,
  concat,
  cosine,
  depthToSpace,
  type DtypePolicy,
  END,
  type FloatType,
  gatedLinear,
  Graph,
  groupedAttention,
  type Int8Rows,
  INTERFACE_TYPE,
  layerNorm,
  linear,
  linearOfEach,
  LONGEST_ROW,
  mul,
  normAddNorm,
  normAddNormInt8,
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
  withoutOwnOperators,
} from "../onnx/mod.ts";
import type { Weights } from "../safetensors/mod.ts";
import { cutEvenly, type Segment } from "./_segments.ts";
import { feedForwardDim, namesOf, type NextDiTConfig } from "./next_dit_config.ts";

/** The condition, and the timestep's embedding, are never wider than this. */
const MAX_CONDITION_DIM = 1024;
/** Width of the sinusoid that a timestep becomes first. */
const TIMESTEP_SINUSOID_DIM = 256;
const TIMESTEP_MAX_PERIOD = 10_000;
/** Upstream builds the norms of queries, keys and pooled text with RMSNorm's own default. */
const DEFAULT_RMS_NORM_EPS = 1e-6;
const FINAL_LAYER_NORM_EPS = 1e-6;

/** NextDiT as two graphs. */
export interface NextDiTGraphs {
  /**
   * Once a prompt: `caption_features` [1, L, cap_feat_dim], `pooled_features` [1, clip_text_dim]
   * and `caption_{cos,sin}` become `caption` [1, L, dim] and `pooled` [1, clip_text_dim].
   */
  readonly text: CompiledGraph;
  /**
   * Once a step, one after the other, each with its share of the layers. All take `timestep` [1],
   * `pooled` and the tables `caption_{cos,sin}` [L, headDim / 2] and `image_{cos,sin}`
   * [N, headDim / 2]. The first takes `latents` [1, C, H, W] and `caption`, the others `tokens` as
   * their predecessor gave them as `tokens_out` [1, L + N, dim]. The last takes `caption_length`
   * [1] = L and `patch_grid` = [1, H / patch, W / patch, patch² · C], and gives `velocity`
   * [1, C, H, W].
   */
  readonly steps: readonly CompiledGraph[];
}

/**
 * Compiles NextDiT over its weights.
 *
 * The graphs take one sample at a time, so that the scales and gates which the sample's condition
 * gives to every token can be multiplied into the weights of the norms: the modulation then costs
 * nothing.
 *
 * @param segments How many graphs to cut a step into, so that no more than one has to be loaded at
 *   a time.
 * @param adaptation What adapters change; each graph then takes their weights, too.
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function compileNextDiT(
  config: NextDiTConfig,
  weights: Weights,
  policy: DtypePolicy,
  segments = 1,
  adaptation?: Adaptation,
): NextDiTGraphs {
  const problems = new Map();
  const { nameInFile } = namesOf(weights);
  const options = { nameInFile, problems, adaptation };
  // A session has our own operators in one type: that of the steps.
  const isOneType = policy.text === policy.compute;
  const { products: _, ...inFull } = policy;
  const text = new Graph("next_dit_text", isOneType ? inFull : withoutOwnOperators(policy));
  const textParameters = new Parameters(text, weights, options);
  buildText(text, config, textParameters, policy);
  const steps = cutEvenly(config.n_layers, segments).map((segment) => {
    const step = new Graph("next_dit_step", policy);
    buildStep(step, config, new Parameters(step, weights, options), policy, segment);
    return step;
  });
  textParameters.check();
  return { text: text.compile(), steps: steps.map((step) => step.compile()) };
}

interface RopeTables {
  readonly cos: Value;
  readonly sin: Value;
}

/**
 * What is made of the text, once for each prompt: in the text encoders' type. The first of its layers
 * sees values of many sizes, and queries and keys, which a norm follows, may be of any: the demo's
 * reach 1e14, which float16 does not hold.
 */
function buildText(
  graph: Graph,
  config: NextDiTConfig,
  parameters: Parameters,
  { text: compute }: DtypePolicy,
): void {
  const { dim, cap_feat_dim, clip_text_dim } = config;
  const features = graph.input("caption_features", INTERFACE_TYPE, [1, "L", cap_feat_dim]);
  const rope = ropeInputs(graph, "caption", "L", config, parameters, compute);
  const embedder = parameters.scope("cap_embedder");

  const norm = embedder.get("0.weight", [cap_feat_dim], compute);
  const normalised = rmsNorm(cast(features, compute), norm, {
    epsilon: config.norm_eps,
    width: cap_feat_dim,
    shape: [1, -1, cap_feat_dim],
  });
  const caption = affine(
    normalised,
    embedder.plainMatrix("1.weight", [dim, cap_feat_dim], compute),
    embedder.get("1.bias", [dim], compute),
    { width: cap_feat_dim, shape: [1, -1, dim] },
  );
  const refiner = names("context_refiner", 0, config.n_refiner_layers).map((name) => {
    const scope = parameters.scope(name);
    return { parameters: scope, norms: plainNorms(scope, config, compute) };
  });
  const refined = runBlocks(caption, refiner, rope, config);
  graph.output("caption", cast(refined, INTERFACE_TYPE), [1, "L", dim]);

  if (clip_text_dim === undefined) return;
  const pooledFeatures = graph.input("pooled_features", INTERFACE_TYPE, [1, clip_text_dim]);
  const projection = parameters.scope("clip_text_pooled_proj");
  const pooled = affine(
    rmsNorm(
      cast(pooledFeatures, compute),
      projection.get("0.weight", [clip_text_dim], compute),
      { epsilon: DEFAULT_RMS_NORM_EPS, width: clip_text_dim, shape: [1, clip_text_dim] },
    ),
    projection.plainMatrix("1.weight", [clip_text_dim, clip_text_dim], compute),
    projection.get("1.bias", [clip_text_dim], compute),
    { width: clip_text_dim, shape: [1, clip_text_dim] },
  );
  graph.output("pooled", cast(pooled, INTERFACE_TYPE), [1, clip_text_dim]);
}

function buildStep(
  graph: Graph,
  config: NextDiTConfig,
  parameters: Parameters,
  { compute }: DtypePolicy,
  { from, to }: Segment,
): void {
  const { dim, n_layers, n_refiner_layers } = config;
  const isFirst = from === 0;
  const captionRope = ropeInputs(graph, "caption", "L", config, parameters, compute);
  const imageRope = ropeInputs(graph, "image", "N", config, parameters, compute);
  const wholeRope = {
    cos: concat([captionRope.cos, imageRope.cos], 0),
    sin: concat([captionRope.sin, imageRope.sin], 0),
  };
  const condition = cast(silu(buildCondition(graph, config, parameters)), compute);
  const refinerNames = isFirst ? names("noise_refiner", 0, n_refiner_layers) : [];
  const layerNames = names("layers", from, to);
  const blocks = modulatedBlocks([...refinerNames, ...layerNames], condition, config, parameters);
  const refiner = blocks.slice(0, refinerNames.length);
  const layers = blocks.slice(refinerNames.length);

  let x: Value;
  if (isFirst) {
    const caption = graph.input("caption", INTERFACE_TYPE, [1, "L", dim]);
    const image = runBlocks(
      embedLatents(graph, config, parameters, compute),
      refiner,
      imageRope,
      config,
    );
    x = concat([cast(caption, compute), image], 1);
  } else {
    x = cast(graph.input("tokens", INTERFACE_TYPE, [1, "S", dim]), compute);
  }
  x = runBlocks(x, layers, wholeRope, config);
  if (to < n_layers) {
    graph.output("tokens_out", cast(x, INTERFACE_TYPE), [1, "S", dim]);
  } else {
    buildFinalLayer(graph, x, condition, config, parameters);
  }
}

/** Patchify: [1, C, H, W] → [1, H/p, W/p, p²C] → [1, N, p²C] → [1, N, dim]. */
function embedLatents(
  graph: Graph,
  { dim, patch_size, in_channels }: NextDiTConfig,
  parameters: Parameters,
  compute: FloatType,
): Value {
  const latents = graph.input("latents", INTERFACE_TYPE, [1, in_channels, "H", "W"]);
  const patchFeatures = patch_size ** 2 * in_channels;
  const patches = reshape(
    transpose(spaceToDepth(latents, patch_size), [0, 2, 3, 1]),
    [0, -1, patchFeatures],
  );
  const embedder = parameters.scope("x_embedder");
  return affine(
    cast(patches, compute),
    embedder.plainMatrix("weight", [dim, patchFeatures], compute),
    embedder.get("bias", [dim], compute),
    { width: patchFeatures, shape: [1, -1, dim] },
  );
}

function buildFinalLayer(
  graph: Graph,
  x: Value,
  condition: Value,
  config: NextDiTConfig,
  parameters: Parameters,
): void {
  const { dim, patch_size, in_channels } = config;
  const compute = floatTypeOf(x);
  const captionLength = graph.input("caption_length", "int64", [1]);
  const patchGrid = graph.input("patch_grid", "int64", [4]);
  // It works on each token alone, so the caption's tokens can be put in front first.
  const image = slice(x, captionLength, END, 1);
  const final = parameters.scope("final_layer");
  const finalScale = affine(
    condition,
    final.plainMatrix("adaLN_modulation.1.weight", [dim, conditionDim(config)], compute),
    final.get("adaLN_modulation.1.bias", [dim], compute),
    { width: conditionDim(config), shape: [1, dim] },
  );
  const weight = reshape(addScalar(finalScale, 1), [dim]);
  const patchFeatures = patch_size ** 2 * in_channels;
  const output = affine(
    layerNorm(image, weight, undefined, FINAL_LAYER_NORM_EPS),
    final.plainMatrix("linear.weight", [patchFeatures, dim], compute),
    final.get("linear.bias", [patchFeatures], compute),
    { width: dim, shape: [1, -1, patchFeatures] },
  );
  const grid = reshape(cast(output, INTERFACE_TYPE), patchGrid);
  const velocity = depthToSpace(transpose(grid, [0, 3, 1, 2]), patch_size);
  graph.output("velocity", velocity, [1, in_channels, "H", "W"]);
}

/**
 * The embedding of timestep and pooled text that modulates every block: [1, min(dim, 1024)].
 *
 * In float32 whatever the rest is in: it is one row, and in bfloat16 its rounding, the same for every
 * token of a step, cost the demo's pictures 7 dB.
 */
function buildCondition(graph: Graph, config: NextDiTConfig, parameters: Parameters): Value {
  const compute = INTERFACE_TYPE;
  const width = conditionDim(config);
  const timestep = graph.input("timestep", INTERFACE_TYPE, [1]);
  const half = TIMESTEP_SINUSOID_DIM / 2;
  const frequencies = Array.from(
    { length: half },
    (_, index) => TIMESTEP_MAX_PERIOD ** (-index / half),
  );
  const angles = mul(reshape(timestep, [1, 1]), graph.vector(frequencies, INTERFACE_TYPE));
  const sinusoid = concat([cosine(angles), sine(angles)], -1);

  const mlp = parameters.scope("t_embedder.mlp");
  const hidden = affine(
    sinusoid,
    mlp.plainMatrix("0.weight", [width, TIMESTEP_SINUSOID_DIM], compute),
    mlp.get("0.bias", [width], compute),
    { width: TIMESTEP_SINUSOID_DIM, shape: [1, width] },
  );
  const embedded = affine(
    silu(hidden),
    mlp.plainMatrix("2.weight", [width, width], compute),
    mlp.get("2.bias", [width], compute),
    { width, shape: [1, width] },
  );
  const { clip_text_dim } = config;
  if (clip_text_dim === undefined) return embedded;

  const pooled = graph.input("pooled", INTERFACE_TYPE, [1, clip_text_dim]);
  const joint = concat([embedded, pooled], -1);
  return affine(
    silu(joint),
    parameters.plainMatrix("time_text_embed.1.weight", [width, width + clip_text_dim], compute),
    parameters.get("time_text_embed.1.bias", [width], compute),
    { width: width + clip_text_dim, shape: [1, width] },
  );
}

/** The weights [dim] of a block's four norms, with its modulation and gates folded in. */
interface BlockNorms {
  readonly attentionIn: Value;
  readonly attentionOut: Value;
  readonly feedIn: Value;
  readonly feedOut: Value;
}

/** A block's place: its weights and its norms. */
interface Block {
  readonly parameters: Parameters;
  readonly norms: BlockNorms;
}

function names(list: string, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `${list}.${from + index}`);
}

/** The norms of the context refiner, which is not modulated. */
function plainNorms(parameters: Parameters, { dim }: NextDiTConfig, compute: FloatType) {
  const weight = (name: string) => parameters.get(`${name}.weight`, [dim], compute);
  return {
    attentionIn: weight("attention_norm1"),
    attentionOut: weight("attention_norm2"),
    feedIn: weight("ffn_norm1"),
    feedOut: weight("ffn_norm2"),
  };
}

/**
 * Blocks with the modulation computed from the condition: norm(x) · w · (1 + scale) before, and
 * norm(x) · w · tanh(gate) after attention and feed-forward, where w are the norms' own weights.
 * For one sample these factors are vectors, so they are multiplied into w: of all blocks at once,
 * and in float32, because 1 + scale would lose most of a small scale's digits in 16 bits.
 */
function modulatedBlocks(
  blockNames: readonly string[],
  condition: Value,
  config: NextDiTConfig,
  parameters: Parameters,
): Block[] {
  const { dim } = config;
  const compute = floatTypeOf(condition);
  const scopes = blockNames.map((name) => parameters.scope(name));
  if (scopes.length === 0) return [];
  /** One row a block: [blocks, width]. */
  const rows = (row: (scope: Parameters) => Value, width: number) =>
    cast(reshape(concat(scopes.map(row), 0), [-1, width]), INTERFACE_TYPE);
  const shape = [4 * dim, conditionDim(config)] as const;
  const matrices = scopes.map((scope) => {
    return scope.plainMatrix("adaLN_modulation.1.weight", shape, compute);
  });
  const modulation = add(
    cast(linearOfEach(condition, matrices), INTERFACE_TYPE),
    rows((scope) => scope.get("adaLN_modulation.1.bias", [4 * dim], compute), 4 * dim),
  );
  const [scaleAttention, gateAttention, scaleFeed, gateFeed] = split(
    modulation,
    [dim, dim, dim, dim],
    -1,
  ) as [Value, Value, Value, Value];
  const folded = (factor: Value, name: string) => {
    const weights = rows((scope) => scope.get(`${name}.weight`, [dim], compute), dim);
    const each = new Array<number>(scopes.length).fill(1);
    return split(cast(mul(factor, weights), compute), each, 0).map((row) => reshape(row, [dim]));
  };
  const attentionIn = folded(addScalar(scaleAttention, 1), "attention_norm1");
  const attentionOut = folded(tanh(gateAttention), "attention_norm2");
  const feedIn = folded(addScalar(scaleFeed, 1), "ffn_norm1");
  const feedOut = folded(tanh(gateFeed), "ffn_norm2");
  return scopes.map((scope, index) => ({
    parameters: scope,
    norms: {
      attentionIn: attentionIn[index]!,
      attentionOut: attentionOut[index]!,
      feedIn: feedIn[index]!,
      feedOut: feedOut[index]!,
    },
  }));
}

/** `JointTransformerBlock`s, one after another; each sum is normalised for what comes next. */
function runBlocks(
  x: Value,
  blocks: readonly Block[],
  rope: RopeTables,
  config: NextDiTConfig,
): Value {
  const { dim: width, norm_eps: epsilon } = config;
  const [first] = blocks;
  if (first === undefined) return x;
  const norm = (x: Value, weight: Value) =>
    rmsNorm(x, weight, { epsilon, width, shape: [1, -1, width] });
  let normalised: Value | Int8Rows = norm(x, first.norms.attentionIn);
  blocks.forEach(({ parameters, norms }, index) => {
    const { attentionOut, feedIn, feedOut } = norms;
    const attended = selfAttention(normalised, rope, config, parameters);
    const around = { inner: attentionOut, outer: feedIn };
    const forFeed = takesInt8Rows("feed_forward", config, parameters)
      ? normAddNormInt8
      : normAddNorm;
    ({ sum: x, normalised } = forFeed(attended, x, around, { epsilon, width }));
    const fed = feedForward(normalised, config, parameters);
    const next = blocks[index + 1];
    if (next === undefined) {
      x = add(x, norm(fed, feedOut));
    } else {
      const around = { inner: feedOut, outer: next.norms.attentionIn };
      const isInt8 = takesInt8Rows("attention", config, next.parameters);
      const forNext = isInt8 ? normAddNormInt8 : normAddNorm;
      ({ sum: x, normalised } = forNext(fed, x, around, { epsilon, width }));
    }
  });
  return x;
}

/** Whether all products of a block's attention, or of its feed-forward layer, take rows in 8 bits. */
function takesInt8Rows(
  part: "attention" | "feed_forward",
  config: NextDiTConfig,
  block: Parameters,
) {
  const { dim, n_heads, n_kv_heads } = config;
  const scope = block.scope(part);
  const keyDim = n_kv_heads * dim / n_heads;
  const hidden = feedForwardDim(config);
  const matrices: readonly (readonly [name: string, rows: number])[] = part === "feed_forward"
    ? [["w1", hidden], ["w3", hidden]]
    : scope.has("to_q.weight")
    ? [["to_q", dim], ["to_k", keyDim], ["to_v", keyDim]]
    : [["qkv", dim], ["qkv", keyDim]];
  return dim <= LONGEST_ROW &&
    matrices.every(([name, rows]) => scope.isInt8(`${name}.weight`, [rows, dim]));
}

function selfAttention(
  x: Value | Int8Rows,
  rope: RopeTables,
  config: NextDiTConfig,
  parameters: Parameters,
): Value {
  const { dim, n_heads, n_kv_heads, qk_norm } = config;
  const compute = x.type as FloatType;
  const headDim = dim / n_heads;
  const [queryDim, keyDim] = [n_heads * headDim, n_kv_heads * headDim];
  const scope = parameters.scope("attention");
  const wholeDim = queryDim + 2 * keyDim;
  const product = (from: number, to: number) =>
    linear(x, scope.matrix("qkv.weight", [wholeDim, dim], compute, [from, to]));
  // Diffusers' conversions have three matrices where upstream has one. Upstream's matrix is used as
  // three parts too: splitting one product would copy it.
  const isApart = scope.has("to_q.weight");
  const queries = () =>
    isApart
      ? linear(x, scope.matrix("to_q.weight", [queryDim, dim], compute))
      : product(0, queryDim);
  const keyOrValue = (name: string, from: number) =>
    isApart
      ? linear(x, scope.matrix(`${name}.weight`, [keyDim, dim], compute))
      : product(from, from + keyDim);
  const project = (attended: Value) =>
    linear(attended, scope.matrix("out.weight", [dim, queryDim], compute));
  const scale = headDim ** -0.5;
  if (hasSplitHeads(x.graph, config) && !isApart) {
    return project(groupedAttention(product(0, wholeDim), rope, {
      heads: n_heads,
      keyValueHeads: n_kv_heads,
      headDim,
      queryNorm: scope.get("q_norm.weight", [headDim], compute),
      keyNorm: scope.get("k_norm.weight", [headDim], compute),
      epsilon: DEFAULT_RMS_NORM_EPS,
      scale,
    }));
  }
  const position = (x: Value, heads: number, name: string) => {
    if (qk_norm) {
      const weight = scope.get(`${name}.weight`, [headDim], compute);
      const shape = [1, -1, heads * headDim];
      x = rmsNorm(x, weight, { epsilon: DEFAULT_RMS_NORM_EPS, width: headDim, shape });
    }
    return rotaryEmbedding(x, rope, heads, "adjacent");
  };
  const attended = attention(
    position(queries(), n_heads, "q_norm"),
    position(keyOrValue("to_k", queryDim), n_kv_heads, "k_norm"),
    keyOrValue("to_v", queryDim + keyDim),
    { heads: n_heads, keyValueHeads: n_kv_heads, headDim, scale },
  );
  return project(attended);
}

/** Whether one kernel of ours makes the queries, keys and values. */
function hasSplitHeads(graph: Graph, { dim, n_heads, qk_norm }: NextDiTConfig): boolean {
  return qk_norm && canSplitHeads(graph, dim / n_heads);
}

/** w2(silu(w1 x) · w3 x) (Shazeer 2020, SwiGLU). */
function feedForward(x: Value | Int8Rows, config: NextDiTConfig, parameters: Parameters): Value {
  const { dim } = config;
  const compute = x.type as FloatType;
  const hidden = feedForwardDim(config);
  const scope = parameters.scope("feed_forward");
  const gate = scope.matrix("w1.weight", [hidden, dim], compute);
  const value = scope.matrix("w3.weight", [hidden, dim], compute);
  const gated = gatedLinear(x, gate, value, hidden);
  return linear(gated, scope.matrix("w2.weight", [dim, hidden], compute));
}

/** The width of the condition. */
function conditionDim({ dim }: NextDiTConfig): number {
  return Math.min(dim, MAX_CONDITION_DIM);
}

function ropeInputs(
  graph: Graph,
  name: string,
  length: string,
  config: NextDiTConfig,
  parameters: Parameters,
  compute: FloatType,
): RopeTables {
  const dims = [length, config.dim / config.n_heads / 2];
  const isApart = parameters.has("layers.0.attention.to_q.weight");
  const type = hasSplitHeads(graph, config) && !isApart ? "float32" : compute;
  return {
    cos: cast(graph.input(`${name}_cos`, INTERFACE_TYPE, dims), type),
    sin: cast(graph.input(`${name}_sin`, INTERFACE_TYPE, dims), type),
  };
}

function floatTypeOf(x: Value): FloatType {
  return x.type as FloatType;
}
