/**
 * Layers that can be computed by more than one operator: which one each device gets, because its
 * kernel is the fastest there or the most exact.
 *
 * @module
 */
import { floatType, same } from "./_checks.ts";
import { rotationMatrix } from "../safetensors/mod.ts";
import {
  joined,
  type JoinedProducts,
  joinedProducts,
  type MatrixPart,
  stackedProducts,
  type ThinProduct,
} from "./adaptation.ts";
import { type Graph, MICROSOFT_DOMAIN, OWN_DOMAIN, type Value } from "./graph.ts";
import {
  int8GatedProduct,
  type Int8Matrix,
  int8MatrixProduct,
  int8Product,
  type Int8Rows,
  int8Rows,
} from "./int8_products.ts";
import {
  ATTENTION_HEADS,
  LANE_VALUES,
  LONGEST_HEAD,
  LONGEST_ROW,
  VECTOR_VALUES,
} from "./kernel_limits.ts";
import {
  add,
  addScalar,
  cast,
  concat,
  div,
  matmul,
  mean,
  mul,
  reshape,
  scale,
  sqrt,
  sub,
  transpose,
} from "./operators.ts";
import { float, int } from "./types.ts";

/** SiLU, also called swish: x · σ(x). */
export function silu(x: Value): Value {
  if (x.graph.device === "cpu") return mul(x, x.graph.node("Sigmoid", [x], x.type));
  // x · σ(alpha · x), in one pass.
  return x.graph.node("QuickGelu", [x], x.type, {
    domain: MICROSOFT_DOMAIN,
    attributes: { alpha: float(1) },
  });
}

/** The exponent of a mean square that no activation comes near. */
const FAR_ABOVE = 60;

/**
 * silu(gate) · x by element, the gate of SwiGLU (Shazeer 2020); the last extent is `width`.
 *
 * On CUDA in one pass, by a kernel of our own or else by the only fused one that ONNX Runtime 1.29
 * has for it: `GatedRMSNorm` is x · s / √(mean(x²) + ε) · silu(gate), and with ε = 2^60 and s = 2^30
 * that is x · silu(gate) but for a relative difference of mean(x²) / 2^61, far below one rounding.
 */
export function swiglu(gate: Value, x: Value, width: number): Value {
  same("swiglu", gate, x);
  const { graph } = x;
  const type = floatType(x);
  if (graph.ownOperators && width % VECTOR_VALUES === 0) {
    return graph.node("SwiGLU", [gate, x], type, { domain: OWN_DOMAIN });
  }
  // float16 cannot hold the scale.
  if (graph.device !== "cuda" || type === "float16") return mul(silu(gate), x);
  const weight = graph.vector(new Array<number>(width).fill(2 ** (FAR_ABOVE / 2)), type);
  return graph.node("GatedRMSNorm", [x, weight, gate], type, {
    domain: MICROSOFT_DOMAIN,
    attributes: { epsilon: float(2 ** FAR_ABOVE) },
  });
}

/**
 * silu(gate · x) · (value · x), the first half of a feed-forward layer with SwiGLU, for matrices
 * [width, in]; the result's last extent is `width`.
 *
 * Our own operator makes both products at once, [2, …, width]: one of twice the size leaves fewer
 * multiprocessors waiting for the last tiles. They come in the order in which the matrices lie in
 * memory, so what follows takes these, too.
 */
export function gatedLinear(
  x: Value | Int8Rows,
  gate: Matrix,
  value: Matrix,
  width: number,
): Value {
  const { graph } = x;
  const [first, second] = [apart(gate), apart(value)];
  const isAdapted = first.thin.length + second.thin.length > 0;
  if ("rows" in first.base && "rows" in second.base && graph.hasInt8Products && !isAdapted) {
    return int8GatedProduct(int8Rows(x), first.base, second.base);
  }
  if ("int8" in x) return swiglu(linear(x, gate), linear(x, value), width);
  const isPlain = "type" in first.base && "type" in second.base;
  if (!graph.ownOperators || width % VECTOR_VALUES !== 0 || !isPlain) {
    return swiglu(linear(x, gate), linear(x, value), width);
  }
  same("gatedLinear", x, first.base as Value);
  same("gatedLinear", x, second.base as Value);
  const matrices = [first.base as Value, second.base as Value] as const;
  if (graph.gatesProducts && !isAdapted) {
    return graph.node("GatedProduct", [x, ...matrices], x.type, { domain: OWN_DOMAIN });
  }
  // Two nodes: what a node gives and no other takes would keep its memory until the run ends.
  const productsOfBoth = () => {
    return graph.node("TwoProducts", [x, ...matrices], x.type, { domain: OWN_DOMAIN });
  };
  if (!isAdapted) {
    const inputs = [productsOfBoth(), ...matrices];
    return graph.node("PairSwiGLU", inputs, x.type, { domain: OWN_DOMAIN });
  }
  const adapters = [...new Set([...first.thin, ...second.thin].map(({ adapter }) => adapter))];
  const part = (first.part ?? second.part)!;
  const pairs = adapters.map((adapter) =>
    [first, second].map(({ thin }) => thin.find((one) => one.adapter === adapter))
  );
  const ranks = pairs.map((pair) => Math.max(...pair.map((one) => one?.rank ?? 0)));
  const type = floatType(x);
  const [gates, values] = [0, 1].map((half) =>
    joinedProducts(pairs.map((pair) => pair[half]), part, graph, type, ranks)
  ) as [JoinedProducts, JoinedProducts];
  // With weights of 0 it is the one kernel over the matrices as they are, bit for bit.
  if (graph.gatesProducts) {
    const [{ weights }] = [...first.thin, ...second.thin] as [ThinProduct];
    const adapted = [gates, values].flatMap(({ down, up, strengths }, half) => {
      return [matrices[half]!, up, transpose(down, [1, 0]), strengths];
    });
    const inputs = [x, ...adapted, weights];
    return graph.node("AdaptedGatedProduct", inputs, x.type, { domain: OWN_DOMAIN });
  }
  const products = productsOfBoth();
  const strengths = joined([gates.strengths, values.strengths], 0);
  const low = productIfUsed(x, joined([gates.down, values.down], 0), strengths);
  const inputs = [products, ...matrices, low, gates.up, values.up, strengths];
  return graph.node("AdaptedSwiGLU", inputs, x.type, { domain: OWN_DOMAIN });
}

/** A matrix [out, in] that stays quantised until a product needs it (see `Quantization`). */
export interface QuantizedMatrix {
  readonly shape: readonly [number, number];
  readonly bits: number;
  readonly blockSize: number;
  /** [out, in / blockSize, bytes of a block]. */
  readonly packed: Value;
  /** [out, in / blockSize], in the type of arithmetic. */
  readonly scales: Value;
  /** The same of what is to be added to all values of a block; absent where nothing is. */
  readonly offsets?: Value;
}

/** A matrix [out, in] whose rows were rotated in groups of so many values (`TensorEntry.rotation`). */
export interface RotatedMatrix {
  readonly shape: readonly [number, number];
  /** [out, in], as it is stored. */
  readonly rotated: Value;
  readonly groupSize: number;
}

/** A matrix [out, in] as it lies in its file. */
export type PlainMatrix = Value | QuantizedMatrix | RotatedMatrix | Int8Matrix;

/** A matrix with what adapters add to its products. */
export interface AdaptedMatrix<Base extends PlainMatrix = PlainMatrix> {
  readonly base: Base;
  readonly thin: readonly ThinProduct[];
  readonly part: MatrixPart;
}

/** A matrix [out, in] for {@linkcode linear}. */
export type Matrix = PlainMatrix | AdaptedMatrix;

/** A matrix and what stands beside it. */
function apart<Base extends PlainMatrix>(matrix: Base | AdaptedMatrix<Base>): {
  readonly base: Base;
  readonly thin: readonly ThinProduct[];
  readonly part?: MatrixPart;
} {
  return "thin" in matrix ? matrix : { base: matrix, thin: [] };
}

/**
 * A product with what adapters add to it. It is computed as without them: with weights of 0, it
 * stays what it was, bit for bit.
 *
 * Our own operator adds in place, where the product is: of a wide layer, reading and writing once more
 * what it gives takes longer than the arithmetic.
 *
 * @param dims The product's extents where it is one of tokens; -1 for their number.
 */
function withThin(
  product: Value,
  x: Value,
  thin: readonly ThinProduct[],
  dims?: readonly number[],
): Value {
  const { graph, type } = product;
  return thin.reduce((sum, one) => {
    const { scale, adapter, weights, up } = one;
    if (!graph.ownOperators || dims === undefined || scale === undefined) {
      const added = plainProduct(lowOf(x, one, true), up);
      return add(sum, dims?.length === 4 ? reshape(added, dims) : added);
    }
    // ONNX Runtime uses memory again only where it knows that sizes are the same.
    const known = dims.map((extent) => extent === -1 ? `tokens of ${product.name}` : extent);
    const inputs = [graph.describe(sum, known), weights, lowOf(x, one, false), up];
    return graph.describe(
      graph.node("AddThin", inputs, type, {
        domain: OWN_DOMAIN,
        attributes: { adapter: int(adapter), scale: float(scale) },
      }),
      known,
    );
  }, product);
}

/**
 * x · downᵀ, times its strength if so wished. Products with one matrix are asked for in parts: queries,
 * keys and values share it.
 */
function lowOf(x: Value, { down, strength }: ThinProduct, isWeighed: boolean): Value {
  const { graph } = x;
  if (!isWeighed) return graph.once(`low ${x.name} ${down.name}`, () => plainProduct(x, down));
  const factor = strength(floatType(x));
  return graph.once(`weighed ${x.name} ${down.name} ${factor.name}`, () => {
    return mul(productIfUsed(x, down, factor), factor);
  });
}

/**
 * x · downᵀ, but 0 in ranks whose strength is 0: the product may overflow, and infinity times 0 would be
 * no number.
 *
 * @param strengths One for all rows of `down`, or one for each.
 */
function productIfUsed(x: Value, down: Value, strengths: Value): Value {
  const { graph } = x;
  const type = floatType(x);
  const isUsed = graph.once(`is used ${strengths.name} ${type}`, () => {
    return cast(cast(strengths, "bool"), type);
  });
  // What is turned once is masked in each run.
  if (graph.device === "webgpu") return matmul(x, mul(turned(down), isUsed));
  const used = graph.once(`used ${down.name} ${strengths.name}`, () => {
    return mul(down, reshape(isUsed, [-1, 1]));
  });
  return plainProduct(x, used);
}

/**
 * A matrix [out, in] with what adapters add to it.
 *
 * On a GPU this goes over a matrix in each run, where a thin product beside it goes over all tokens:
 * of a picture of 1024 × 1024, those are more. With weights of 0 it stays what it was, bit for bit.
 */
function adaptedMatrix(base: Value, thin: readonly ThinProduct[]): Value {
  const type = floatType(base);
  const { graph } = base;
  return thin.reduce((matrix, { down, up, strength }) => {
    const factor = strength(type);
    // Queries, keys and values have it in common.
    const strong = graph.once(`strong ${down.name} ${factor.name}`, () => {
      return mul(down, reshape(factor, [-1, 1]));
    });
    return graph.node("Gemm", [up, strong, matrix], type);
  }, base);
}

/** x · weightᵀ by our own operator, which adds what adapters add to the matrix. */
function ownProduct(x: Value, base: Value, thin: readonly ThinProduct[], part?: MatrixPart): Value {
  same("linear", x, base);
  const { graph, type } = x;
  const [first] = thin;
  const domain = OWN_DOMAIN;
  if (first === undefined || part === undefined) {
    return graph.node("Product", [x, base], type, { domain });
  }
  if (part.inner % VECTOR_VALUES !== 0) {
    return graph.node("Product", [x, adaptedMatrix(base, thin)], type, { domain });
  }
  const { down, up, strengths } = joinedProducts(thin, part, graph, floatType(x));
  const inputs = [x, base, up, transpose(down, [1, 0]), strengths, first.weights];
  return graph.node("AdaptedProduct", inputs, type, { domain });
}

/** x · weightᵀ + bias, PyTorch's `nn.Linear`: weight is [out, in], bias [out]. */
export function linear(x: Value | Int8Rows, weight: Matrix, bias?: Value): Value {
  const { base, thin, part } = apart(weight);
  if ("int8" in x) {
    if (!("rows" in base) || thin.length > 0) {
      throw new TypeError("Rows in 8 bits are multiplied by matrices in 8 bits alone.");
    }
    const product = int8Product(x, base);
    return bias === undefined ? product : add(product, bias);
  }
  const { ownOperators, device } = x.graph;
  if ("type" in base && ownOperators) {
    const product = ownProduct(x, base, thin, part);
    return bias === undefined ? product : add(product, bias);
  }
  if ("type" in base && part?.isOfTokens && device === "cuda") {
    return linear(x, adaptedMatrix(base, thin), bias);
  }
  const product = "packed" in base
    ? quantizedProduct(x, base)
    : "rows" in base
    ? x.graph.hasInt8Products ? int8Product(int8Rows(x), base) : int8MatrixProduct(x, base)
    : "rotated" in base
    ? plainProduct(rotate(x, base.groupSize, [1, -1, base.shape[1]]), base.rotated)
    : plainProduct(x, base);
  // The bias comes last, where ONNX Runtime looks for it.
  const { rows: [from, to] = [0, 0], isOfTokens } = part ?? {};
  const sum = withThin(product, x, thin, isOfTokens ? [1, -1, to - from] : undefined);
  return bias === undefined ? sum : add(sum, bias);
}

/**
 * The products of x [1, in] with several matrices of one shape, a row each: [count, out].
 *
 * What an adapter adds to them is computed for all at once: of one row, each product of its own takes
 * longer to start than to compute.
 */
export function linearOfEach(x: Value, weights: readonly (Value | AdaptedMatrix<Value>)[]): Value {
  const matrices = weights.map((weight) => apart(weight));
  const products = concat(matrices.map(({ base }) => plainProduct(x, base)), 0);
  const part = matrices.find(({ part }) => part !== undefined)?.part;
  if (part === undefined) return products;
  const adapters = new Set(matrices.flatMap(({ thin }) => thin.map(({ adapter }) => adapter)));
  return [...adapters].sort((a, b) => a - b).reduce((sum, adapter) => {
    const { down, up, strength, rank } = stackedProducts(
      matrices.map(({ thin }) => thin.find((one) => one.adapter === adapter)),
      part,
    );
    const products = productIfUsed(x, down, reshape(strength, [-1]));
    const low = mul(reshape(products, [-1, 1, rank]), strength);
    return add(sum, reshape(plainProduct(low, up), [-1, part.rows[1] - part.rows[0]]));
  }, products);
}

/**
 * {@linkcode linear} with a bias, for a weight [out, in] that is not quantised; `shape` is that of
 * the result, -1 for one extent that is to be taken from the input.
 *
 * On CUDA one kernel adds the bias before it rounds: rounded product by product, a tower of such
 * layers in bfloat16 has half as large an error again.
 */
export function affine(
  x: Value,
  weight: Value | AdaptedMatrix<Value>,
  bias: Value,
  { width, shape }: { readonly width: number; readonly shape: readonly number[] },
): Value {
  if (x.graph.device !== "cuda") return linear(x, weight, bias);
  const { base, thin } = apart(weight);
  same("affine", x, base);
  same("affine", x, bias);
  const rows = reshape(x, [-1, width]);
  const sum = x.graph.node("Gemm", [rows, base, bias], x.type, {
    attributes: { transB: int(1) },
  });
  return reshape(withThin(sum, rows, thin), shape);
}

function plainProduct(x: Value, weight: Value): Value {
  same("linear", x, weight);
  const { graph, type } = x;
  if (graph.device === "webgpu") return productWithTurned(x, weight);
  return graph.node("FusedMatMul", [x, weight], type, {
    domain: MICROSOFT_DOMAIN,
    attributes: { transB: int(1) },
  });
}

/**
 * x · weightᵀ for WebGPU's provider, which has no `FusedMatMul`. The weight is turned once, when the
 * session is made: `Gemm`, which takes it as it is, is 2.6 times slower on an H200.
 */
function productWithTurned(x: Value, weight: Value): Value {
  return matmul(x, turned(weight));
}

function turned(weight: Value): Value {
  const { graph, name } = weight;
  return graph.once(`turned ${name}`, () => transpose(weight, [1, 0]));
}

/**
 * Multiplies each run of `groupSize` values by {@linkcode rotationMatrix}, once for all layers that have
 * the same input.
 *
 * @param shape The shape of x; -1 for one extent that is to be taken from the input.
 */
export function rotate(x: Value, groupSize: number, shape: readonly number[]): Value {
  const { graph, name } = x;
  const type = floatType(x);
  const matrix = graph.once(`rotation ${groupSize} ${type}`, () => {
    const values = graph.vector([...rotationMatrix(groupSize)], type);
    return reshape(values, [groupSize, groupSize]);
  });
  return graph.once(`rotated ${groupSize} ${name}`, () => {
    return reshape(matmul(reshape(x, [-1, groupSize]), matrix), shape);
  });
}

/** `accuracy_level` of `MatMulNBits`: x may be rounded to 8 bits, by default it is taken as it is. */
const ROUNDS_TO_8_BITS = 4;

/**
 * `MatMulNBits`. On WebGPU in float16 it may round x to 8 bits. Kernels for tensor units do not, but
 * ask for that leave on Apple's chips. Without such units, as with blocks of 128 on an H200, the product
 * of rounded values takes a twelfth of the time, and errs less than one of weights in float16.
 */
function quantizedProduct(x: Value, matrix: QuantizedMatrix): Value {
  same("linear", x, matrix.scales);
  const [rows, columns] = matrix.shape;
  const { offsets } = matrix;
  const mayRound = x.graph.device === "webgpu" && x.type === "float16";
  const product = x.graph.node("MatMulNBits", [x, matrix.packed, matrix.scales], x.type, {
    domain: MICROSOFT_DOMAIN,
    attributes: {
      N: int(rows),
      K: int(columns),
      bits: int(matrix.bits),
      block_size: int(matrix.blockSize),
      ...(mayRound ? { accuracy_level: int(ROUNDS_TO_8_BITS) } : {}),
    },
  });
  return offsets === undefined
    ? product
    : add(product, plainProduct(blockSums(x, columns, matrix.blockSize), offsets));
}

/** The sums of each block of values of [1, S, width]: [1, S, width / blockSize]. */
function blockSums(x: Value, width: number, blockSize: number): Value {
  const { graph, name } = x;
  return graph.once(`sums ${name} ${blockSize}`, () => {
    const blocks = reshape(x, [1, -1, width / blockSize, blockSize]);
    return graph.node("ReduceSum", [blocks, graph.integers([-1])], x.type, {
      attributes: { keepdims: int(0) },
    });
  });
}

/** Over what {@linkcode rmsNorm} goes. */
export interface RmsNormOptions {
  readonly epsilon: number;
  /** How many values, one after another, are normalised together: as many as the weight has. */
  readonly width: number;
  /** The shape of the result; -1 for one extent that is to be taken from the input. */
  readonly shape: readonly number[];
}

/**
 * RMS normalisation (Zhang & Sennrich 2019) of runs of `width` values; the mean square in float32.
 *
 * On CUDA by {@linkcode addRmsNorm}'s kernel with nothing added, which is the faster one.
 */
export function rmsNorm(x: Value, weight: Value, { epsilon, width, shape }: RmsNormOptions): Value {
  same("rmsNorm", x, weight);
  const { graph } = x;
  const type = floatType(x);
  const rows = reshape(x, [-1, 1, width]);
  if (graph.device !== "cuda") {
    const normalised = graph.node("RMSNormalization", [rows, weight], type, {
      attributes: { axis: int(-1), epsilon: float(epsilon) },
    });
    return reshape(normalised, shape);
  }
  const nothing = reshape(graph.vector(new Array<number>(width).fill(0), type), [1, 1, width]);
  const normalised = graph.node("SkipSimplifiedLayerNormalization", [rows, nothing, weight], type, {
    domain: MICROSOFT_DOMAIN,
    attributes: { epsilon: float(epsilon) },
  });
  return reshape(normalised, shape);
}

/** What {@linkcode addRmsNorm} gives. */
export interface SumAndNorm {
  readonly sum: Value;
  readonly normalised: Value;
}

/** a + b, both [B, S, width], and the RMS normalisation of the sum over the last axis, in one pass. */
export function addRmsNorm(a: Value, b: Value, weight: Value, epsilon: number): SumAndNorm {
  same("addRmsNorm", a, b);
  same("addRmsNorm", a, weight);
  const [normalised, , , sum] = a.graph.nodes(
    "SkipSimplifiedLayerNormalization",
    [a, b, weight],
    [a.type, "float32", "float32", a.type],
    { domain: MICROSOFT_DOMAIN, attributes: { epsilon: float(epsilon) } },
  );
  return { sum: sum!, normalised: normalised! };
}

/**
 * x + norm(a) · inner, and the RMS normalisation of that by `outer`, over the last axis, which has
 * `width` values: what stands between two layers with norms before and behind them.
 */
export function normAddNorm(
  a: Value,
  x: Value,
  { inner, outer }: { readonly inner: Value; readonly outer: Value },
  { epsilon, width }: { readonly epsilon: number; readonly width: number },
): SumAndNorm {
  same("normAddNorm", a, x);
  same("normAddNorm", a, inner);
  same("normAddNorm", a, outer);
  const { graph, type } = a;
  if (!graph.ownOperators || width % VECTOR_VALUES !== 0 || width > LONGEST_ROW) {
    const normalised = rmsNorm(a, inner, { epsilon, width, shape: [1, -1, width] });
    return addRmsNorm(normalised, x, outer, epsilon);
  }
  const [sum, normalised] = graph.nodes("NormAddNorm", [a, x, inner, outer], [type, type], {
    domain: OWN_DOMAIN,
    attributes: { epsilon: float(epsilon) },
  });
  return { sum: sum!, normalised: normalised! };
}

/** Layer normalisation over the last axis (Ba et al. 2016); moments in float32. */
export function layerNorm(
  x: Value,
  weight: Value,
  bias: Value | undefined,
  epsilon: number,
): Value {
  same("layerNorm", x, weight);
  return x.graph.node("LayerNormalization", [x, weight, bias], x.type, {
    attributes: { axis: int(-1), epsilon: float(epsilon) },
  });
}

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

/** The groups of a group normalisation. */
export interface GroupNormOptions {
  readonly groups: number;
  readonly channels: number;
  readonly epsilon: number;
}

/** What the kernel of `GroupNorm` takes; measured with FLUX's decoder, more is not needed. */
const GROUP_NORM_GROUPS = 32;

const GROUP_NORM_CHANNELS = [128, 256, 512];

/**
 * Group normalisation (Wu & He 2018) of [B, C, H, W]; weight and bias are [C].
 *
 * By {@linkcode groupMoments}, or on CUDA in float16 by ONNX Runtime's own operator, which wants the
 * channels last, where its kernel takes the sizes: it needs no copy in float32. (Its other operator
 * for this, InstanceNormalization, gives each group to a single thread block: a decoding of FLUX's
 * decoder took 3.8 s with it, and 85 ms so.)
 */
export function groupNorm(
  x: Value,
  weight: Value,
  bias: Value,
  options: GroupNormOptions,
): Value {
  same("groupNorm", x, weight);
  const { graph } = x;
  const { groups, channels, epsilon } = options;
  const type = floatType(x);
  const hasKernel = graph.device === "cuda" && type === "float16" &&
    groups === GROUP_NORM_GROUPS && GROUP_NORM_CHANNELS.includes(channels);
  if (!hasKernel) return groupNormByMoments(x, weight, bias, groupMoments(x, groups), options);
  const inputs = [transpose(x, [0, 2, 3, 1]), cast(weight, "float32"), cast(bias, "float32")];
  const normalised = graph.node("GroupNorm", inputs, type, {
    domain: MICROSOFT_DOMAIN,
    attributes: {
      epsilon: float(epsilon),
      groups: int(groups),
      activation: int(0),
      channels_last: int(1),
    },
  });
  return transpose(normalised, [0, 3, 1, 2]);
}

/** The mean and the variance of each group of channels, each [B, groups] in float32. */
export interface GroupMoments {
  readonly mean: Value;
  readonly variance: Value;
}

/**
 * Measures what {@linkcode groupNorm} normalises [B, C, H, W] by.
 *
 * Rows first, then the rows' results: kernels that add millions of values one after another in
 * float32 leave a relative error of 1e-4 in a picture of 1024 × 1024, InstanceNormalization's CPU
 * kernel among them.
 */
export function groupMoments(x: Value, groups: number): GroupMoments {
  const grouped = reshape(cast(x, "float32"), [0, groups, -1, 0]);
  const average = mean(mean(grouped, -1), -1);
  const deviation = sub(grouped, reshape(average, [0, groups, 1, 1]));
  const { graph } = x;
  const squares = graph.node("ReduceSumSquare", [deviation, graph.integers([-1])], "float32", {
    attributes: { keepdims: int(0) },
  });
  const width = graph.node("Shape", [x], "int64", { attributes: { start: int(-1) } });
  return { mean: average, variance: div(mean(squares, -1), cast(width, "float32")) };
}

/** {@linkcode groupNorm} by moments that were measured elsewhere. */
export function groupNormByMoments(
  x: Value,
  weight: Value,
  bias: Value,
  moments: GroupMoments,
  { groups, channels, epsilon }: GroupNormOptions,
): Value {
  same("groupNormByMoments", x, weight);
  const type = floatType(x);
  // One factor and one offset a channel, so that the picture is gone over twice and not four times.
  const perGroup = [-1, groups, 1];
  const spread = reshape(sqrt(addScalar(moments.variance, epsilon)), perGroup);
  const grouped = (parameter: Value) => reshape(cast(parameter, "float32"), [1, groups, -1]);
  const factor = div(grouped(weight), spread);
  const offset = sub(grouped(bias), mul(reshape(moments.mean, perGroup), factor));
  const perChannel = (value: Value) => cast(reshape(value, [-1, channels, 1, 1]), type);
  return add(mul(x, perChannel(factor)), perChannel(offset));
}
