/**
 * Attention and what belongs to it: by which operators each device computes it, because their kernels are
 * the fastest there or the most exact.
 *
 * @module
 */
import { floatType, same } from "./_checks.ts";
import { type Graph, MICROSOFT_DOMAIN, OWN_DOMAIN, type Value } from "./graph.ts";
import { ATTENTION_HEADS, LANE_VALUES, LONGEST_HEAD } from "./kernel_limits.ts";
import { add, matmul, reshape, scale, transpose } from "./operators.ts";
import { float, int } from "./types.ts";

/**
 * Rotary position embedding (Su et al. 2021) of [1, S, heads · headDim] by tables of cosines and
 * sines, each [S, headDim / 2].
 *
 * @param pairs `adjacent` rotates (x₀, x₁), (x₂, x₃)…, the complex form; `halves` rotates
 *   (x₀, x_{d/2}), (x₁, x_{d/2+1})…
 */
export function rotaryEmbedding(
  x: Value,
  tables: { readonly cos: Value; readonly sin: Value },
  heads: number,
  pairs: "adjacent" | "halves",
): Value {
  same("rotaryEmbedding", x, tables.cos);
  const { graph } = x;
  const one = graph.integers([0]);
  const batched = (table: Value) => graph.node("Unsqueeze", [table, one], table.type);
  return graph.node("RotaryEmbedding", [x, batched(tables.cos), batched(tables.sin)], x.type, {
    attributes: { interleaved: int(pairs === "adjacent" ? 1 : 0), num_heads: int(heads) },
  });
}

/** Whether {@linkcode splitHeads} can be used for heads of this size. */
export function canSplitHeads(graph: Value["graph"], headDim: number): boolean {
  return graph.ownOperators && headDim % LANE_VALUES === 0 && headDim <= LONGEST_HEAD;
}

/** Of what {@linkcode splitHeads} makes queries, keys and values. */
export interface HeadsOptions {
  readonly heads: number;
  readonly keyValueHeads: number;
  /** The weights [headDim] of the norms of each query's and each key's head. */
  readonly queryNorm: Value;
  readonly keyNorm: Value;
  readonly epsilon: number;
}

/**
 * Queries, keys and values for {@linkcode blockwiseAttention}, each [1, S, heads · headDim], of one
 * product [1, S, (heads + 2 · keyValueHeads) · headDim]: {@linkcode rmsNorm} head by head and
 * {@linkcode rotaryEmbedding} of adjacent pairs, by tables in float32, for queries and keys; keys
 * and values repeated for each of their queries.
 */
export function splitHeads(
  qkv: Value,
  tables: { readonly cos: Value; readonly sin: Value },
  { heads, keyValueHeads, queryNorm, keyNorm, epsilon }: HeadsOptions,
): { readonly q: Value; readonly k: Value; readonly v: Value } {
  same("splitHeads", qkv, queryNorm);
  same("splitHeads", qkv, keyNorm);
  const { graph, type } = qkv;
  const inputs = [qkv, queryNorm, keyNorm, tables.cos, tables.sin];
  const [q, k, v] = graph.nodes("SplitHeads", inputs, [type, type, type], {
    domain: OWN_DOMAIN,
    attributes: {
      num_heads: int(heads),
      kv_num_heads: int(keyValueHeads),
      epsilon: float(epsilon),
    },
  });
  return { q: q!, k: k!, v: v! };
}

/** How {@linkcode groupedAttention} scores. */
export interface GroupedAttentionOptions extends HeadsOptions {
  readonly headDim: number;
  /** Factor on q·k before the softmax. */
  readonly scale: number;
}

/**
 * Attention in which every position sees all others, of one product as {@linkcode splitHeads} takes it:
 * [1, S, heads · headDim].
 *
 * Where there is a kernel of our own for it, that reads values from the product and keys once for all
 * the queries that share them: nothing is repeated.
 */
export function groupedAttention(
  qkv: Value,
  tables: { readonly cos: Value; readonly sin: Value },
  options: GroupedAttentionOptions,
): Value {
  const { graph, type } = qkv;
  const { heads, keyValueHeads, headDim, queryNorm, keyNorm, epsilon, scale } = options;
  if (!graph.attendsInGroups || !ATTENTION_HEADS.includes(headDim)) {
    const { q, k, v } = splitHeads(qkv, tables, options);
    return blockwiseAttention(q, k, v, { heads, scale });
  }
  same("groupedAttention", qkv, queryNorm);
  same("groupedAttention", qkv, keyNorm);
  const counts = { num_heads: int(heads), kv_num_heads: int(keyValueHeads) };
  const inputs = [qkv, queryNorm, keyNorm, tables.cos, tables.sin];
  const [q, k] = graph.nodes("QueriesAndKeys", inputs, [type, type], {
    domain: OWN_DOMAIN,
    attributes: { ...counts, epsilon: float(epsilon) },
  });
  return graph.node("GroupedAttention", [q!, k!, qkv], type, {
    domain: OWN_DOMAIN,
    attributes: { ...counts, scale: float(scale) },
  });
}

/** Each head `times` times: [1, S, heads · headDim] → [1, S, heads · times · headDim]. */
function repeatHeads(x: Value, heads: number, headDim: number, times: number): Value {
  if (times === 1) return x;
  const apart = reshape(x, [1, -1, heads, 1, headDim]);
  const target = x.graph.integers([1, 1, 1, times, 1]);
  const repeated = x.graph.node("Expand", [apart, target], x.type);
  return reshape(repeated, [1, -1, heads * times * headDim]);
}

/** How {@linkcode attention} scores. */
export interface AttentionOptions {
  readonly heads: number;
  readonly headDim: number;
  /** Fewer than `heads` shares each key and value among several queries (Ainslie et al. 2023). */
  readonly keyValueHeads: number;
  /** Factor on q·k before the softmax. */
  readonly scale: number;
  /** Each position sees itself and what stands before it. */
  readonly causal?: boolean;
  /** Booleans [S, S]: which key (column) a query (row) may see. */
  readonly mask?: Value;
}

/**
 * Scaled dot-product attention of [B, S, heads · headDim] (Vaswani et al. 2017).
 *
 * Where every position sees all others, by {@linkcode blockwiseAttention} over repeated keys and
 * values. On Hopper that takes cuDNN's kernel, which `Attention` does not. On a CPU it takes 35 MiB
 * for 4352 positions and 10 heads of 32, where `Attention` takes 772, and a bit more than half the
 * processor's time; at 512 positions they are equally fast.
 */
export function attention(q: Value, k: Value, v: Value, options: AttentionOptions): Value {
  same("attention", q, k);
  const { heads, keyValueHeads, headDim, causal = false, mask } = options;
  const seesAll = !causal && mask === undefined;
  const { graph } = q;
  if (seesAll || graph.device === "webgpu") {
    const times = heads / keyValueHeads;
    const repeat = (x: Value) => repeatHeads(x, keyValueHeads, headDim, times);
    const bias = seesAll ? undefined : attentionBias(q, causal, mask);
    return blockwiseAttention(q, repeat(k), repeat(v), { ...options, bias });
  }
  return graph.node("Attention", [q, k, v, options.mask], q.type, {
    attributes: {
      q_num_heads: int(options.heads),
      kv_num_heads: int(options.keyValueHeads),
      scale: float(options.scale),
      is_causal: int(options.causal ? 1 : 0),
    },
  });
}

/**
 * Self-attention of [B, S, heads · headDim] whose memory grows with S, not with S²: ONNX Runtime's
 * CPU kernel of `MultiHeadAttention` works block by block (Dao et al. 2022), that of `Attention`
 * writes all scores down (1 GiB for the 16384 positions of a 1024 × 1024 picture's latents).
 * `scale` is the factor on q·k before the softmax.
 */
export function blockwiseAttention(
  q: Value,
  k: Value,
  v: Value,
  options: {
    readonly heads: number;
    readonly scale: number;
    /** What is added to the scores, [1, 1, S, S]. */
    readonly bias?: Value | undefined;
  },
): Value {
  same("blockwiseAttention", q, k);
  const { heads, scale, bias } = options;
  if (q.graph.writesScores) return writtenAttention(q, k, v, options);
  const inputs = bias === undefined ? [q, k, v] : [q, k, v, undefined, undefined, bias];
  return q.graph.node("MultiHeadAttention", inputs, q.type, {
    domain: MICROSOFT_DOMAIN,
    attributes: { num_heads: int(heads), scale: float(scale) },
  });
}

/** The same by three operators, for devices whose `MultiHeadAttention` is wrong. */
function writtenAttention(
  q: Value,
  k: Value,
  v: Value,
  { heads, scale: factor, bias }: Parameters<typeof blockwiseAttention>[3],
): Value {
  const apart = (x: Value, order: readonly number[]) =>
    transpose(reshape(x, [0, 0, heads, -1]), order);
  const scores = matmul(scale(apart(q, [0, 2, 1, 3]), factor), apart(k, [0, 2, 3, 1]));
  const seen = bias === undefined ? scores : add(scores, bias);
  const weights = q.graph.node("Softmax", [seen], q.type, { attributes: { axis: int(-1) } });
  const attended = matmul(weights, apart(v, [0, 2, 1, 3]));
  return reshape(transpose(attended, [0, 2, 1, 3]), [0, 0, -1]);
}

/** Far below any score, and within float16. */
const NEVER_SEEN = -60000;

/** Masks as {@linkcode blockwiseAttention} takes them: 0 where a query may see a key. */
function attentionBias(q: Value, causal: boolean, mask: Value | undefined): Value {
  const { graph } = q;
  const type = floatType(q);
  return graph.once(`attention bias ${causal} ${mask?.name} ${type}`, () => {
    const choices = [
      visible(q, causal, mask),
      graph.scalar(0, type),
      graph.scalar(NEVER_SEEN, type),
    ];
    const bias = graph.node("Where", choices, type);
    return graph.node("Unsqueeze", [bias, graph.integers([0, 1])], type);
  });
}

/** Which key (column) a query (row) may see; with neither, there is nothing to ask. */
function visible(q: Value, causal: boolean, mask: Value | undefined): Value {
  if (!causal) return mask!;
  const { graph } = q;
  const length = graph.node("Shape", [q], "int64", { attributes: { start: int(1), end: int(2) } });
  const count = graph.node("Squeeze", [length], "int64");
  const places = graph.node("Range", [integer(graph, 0), count, integer(graph, 1)], "int64");
  const earlier = graph.node("GreaterOrEqual", [reshape(places, [-1, 1]), places], "bool");
  return mask === undefined ? earlier : graph.node("And", [earlier, mask], "bool");
}

/** An int64 scalar. */
function integer(graph: Graph, value: number): Value {
  return graph.node("Squeeze", [graph.integers([value])], "int64");
}
