/**
 * Products with weights, of every form in which weights lie: by which operators each device computes them,
 * because their kernels are the fastest there or the most exact.
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
import { MICROSOFT_DOMAIN, OWN_DOMAIN, type Value } from "./graph.ts";
import {
  int8GatedProduct,
  type Int8Matrix,
  int8MatrixProduct,
  int8Product,
  type Int8Rows,
  int8Rows,
} from "./int8_products.ts";
import { VECTOR_VALUES } from "./kernel_limits.ts";
import { add, cast, concat, matmul, mul, reshape, transpose } from "./operators.ts";
import { float, int } from "./types.ts";
import { swiglu } from "./activations.ts";

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
  /** The same of the points that stand for 0, instead of offsets; by default the middle one does. */
  readonly zeros?: Value;
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
  const { packed, scales, zeros, offsets } = matrix;
  const mayRound = x.graph.device === "webgpu" && x.type === "float16";
  const product = x.graph.node("MatMulNBits", [x, packed, scales, zeros], x.type, {
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
