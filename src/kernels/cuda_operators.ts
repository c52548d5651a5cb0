/**
 * The project's own operators on a GPU.
 *
 * @module
 */
import { OWN_DOMAIN, THIN_RANKS, VECTOR_VALUES, WARP_THREADS } from "../onnx/mod.ts";
import type { CudaDriver } from "../runtime/native/cuda_driver.ts";
import { memoryAt } from "../runtime/native/c_api.ts";
import type { KernelContext, Operator, OperatorSet } from "../runtime/native/custom_operators.ts";
import { Uploads } from "../runtime/native/uploads.ts";
import { elementCount } from "../tensor.ts";
import {
  CudaKernels,
  type KernelType,
  type Launch,
  type Parameter,
  VALUE_BYTES,
} from "./cuda_kernels.ts";
import { gatedLaunch, gatedProduct } from "./gated_product.ts";
import { groupedAttention } from "./grouped_attention.ts";
import { int8Operators } from "./int8_operators.ts";
import { keepInt8Matrices } from "./keep_int8_matrices.ts";

/** Bytes of an adapter's weight. */
const FLOAT_BYTES = 4;
/** Threads of a block, where a kernel leaves the choice. */
const BLOCK = 256;
/** Threads of a block of thin products, the columns that it has, and a step down its rows. */
const THIN_THREADS = 128;
const THIN_COLUMNS = 128;
const THIN_ROWS = 16;
/** About as many blocks as a large GPU runs at once, so that few wait for others' end. */
const thinBlocks = () => 660;
/** Of the gate, too; with few ranks blocks begin so soon that more and smaller ones are faster. */
const gateBlocks = (rank: number) => rank === THIN_RANKS ? 4224 : 792;
/** Ranks for which a kernel keeps its columns' factors in registers. */
const KEPT_RANKS: readonly number[] = [32, 64];

/**
 * The operators for graphs that compute in a type.
 *
 * @param openDriver Is asked for the driver when the first graph is loaded, which is when ONNX
 *   Runtime has loaded its own libraries.
 */
export function cudaOperators(type: KernelType, openDriver: () => CudaDriver): OperatorSet {
  const kernels = () => CudaKernels.of(openDriver());
  const kernel = (name: string, parameters: readonly Parameter[]) =>
    kernels().kernel(name, type, parameters);

  const normAddNorm: Operator = {
    name: "NormAddNorm",
    inputs: [type, type, type, type],
    outputs: [type, type],
    kernel: (attributes) => {
      const launch = kernel("norm_add_norm", [
        ...pointers(6),
        "i32",
        "f32",
      ]);
      const epsilon = attributes.float("epsilon");
      return (context) => {
        const { address, dims } = context.input(0);
        const width = dims.at(-1)!;
        const threads = WARP_THREADS * Math.ceil(width / VECTOR_VALUES / WARP_THREADS);
        const places = [1, 2, 3].map((index) => context.address(index));
        const outputs = [0, 1].map((index) => context.output(index, dims));
        const blocks = elementCount(dims) / width;
        launch(context.stream(), blocks, threads, [address, ...places, ...outputs, width, epsilon]);
      };
    },
  };

  /** Of the product of all three; `hasValues`: values, too, and these and keys for each query. */
  const headsOperator = (name: string, hasValues: boolean): Operator => ({
    name,
    inputs: [type, type, type, "float32", "float32"],
    outputs: hasValues ? [type, type, type] : [type, type],
    kernel: (attributes) => {
      const launch = kernel("split_heads", [
        ...pointers(8),
        "i32",
        "i32",
        "i32",
        "i32",
        "f32",
      ]);
      const heads = attributes.int("num_heads");
      const keyValueHeads = attributes.int("kv_num_heads");
      const epsilon = attributes.float("epsilon");
      const allHeads = heads + 2 * keyValueHeads;
      return (context) => {
        const { address, dims: [batch, tokens, width] } = context.input(0);
        const headDim = width! / allHeads;
        const places = [1, 2, 3, 4].map((index) => context.address(index));
        const written = hasValues ? [heads, heads, heads] : [heads, keyValueHeads];
        const outputs = written.map((count, index) => {
          return context.output(index, [batch!, tokens!, count * headDim]);
        });
        const taken = hasValues ? allHeads : heads + keyValueHeads;
        const blocks = Math.ceil(tokens! * taken * WARP_THREADS / BLOCK);
        const [q, k, v = 0n] = outputs as [bigint, bigint, bigint?];
        const sizes = [tokens!, heads, keyValueHeads, headDim, epsilon];
        launch(context.stream(), blocks, BLOCK, [address, ...places, q, k, v, ...sizes]);
      };
    },
  });
  const splitHeads = headsOperator("SplitHeads", true);
  const queriesAndKeys = headsOperator("QueriesAndKeys", false);

  const gateKernel = () => {
    const launch = kernel("swiglu", [...pointers(3), "i64"]);
    return (context: KernelContext, gate: bigint, x: bigint, dims: readonly number[]) => {
      const vectors = elementCount(dims) / VECTOR_VALUES;
      const values = [gate, x, context.output(0, dims), BigInt(vectors)];
      launch(context.stream(), Math.ceil(vectors / BLOCK), BLOCK, values);
    };
  };

  const swiglu: Operator = {
    name: "SwiGLU",
    inputs: [type, type],
    outputs: [type],
    kernel: () => {
      const gate = gateKernel();
      return (context) => {
        const { address, dims } = context.input(0);
        gate(context, address, context.address(1), dims);
      };
    },
  };

  const twoProducts: Operator = {
    name: "TwoProducts",
    inputs: [type, type, type],
    outputs: [type],
    kernel: () => (context) => {
      const { address: x, dims } = context.input(0);
      const { address, dims: [width, inner] } = context.input(1);
      const other = context.address(2);
      const [first, second] = address < other ? [address, other] : [other, address];
      const rows = elementCount(dims) / inner!;
      const products = context.output(0, [2, ...dims.slice(0, -1), width!]);
      const sizes = { rows, width: width!, inner: inner! };
      kernels().productOfBoth(type, context.stream(), sizes, { x, first, second, products });
    },
  };

  /** The gate's product and the other one of what {@linkcode twoProducts} gives: the first three inputs. */
  const pairOf = (context: KernelContext) => {
    const { address, dims: [, ...dims] } = context.input(0);
    const behind = address + BigInt(elementCount(dims) * VALUE_BYTES);
    const isGateFirst = context.address(1) < context.address(2);
    const [gate, x] = isGateFirst ? [address, behind] : [behind, address];
    return { gate, x, dims };
  };

  const pairSwiglu: Operator = {
    name: "PairSwiGLU",
    inputs: [type, type, type],
    outputs: [type],
    kernel: () => {
      const compute = gateKernel();
      return (context) => {
        const { gate, x, dims } = pairOf(context);
        compute(context, gate, x, dims);
      };
    },
  };

  /** Starts the kernel for a rank over a result [rows, columns]. */
  const thinKernel = (name: string, pointerCount: number, blocksOf: (rank: number) => number) => {
    const launches = new Map<string, Launch>();
    const parameters: Parameter[] = [...pointers(pointerCount), "i32", "i32", "i32", "i32"];
    return (
      context: KernelContext,
      places: readonly bigint[],
      { rows, columns, rank }: { readonly rows: number; readonly columns: number; rank: number },
    ) => {
      const ranks = KEPT_RANKS.includes(rank) ? String(rank) : "any";
      const launch = launches.get(ranks) ?? kernel(`${name}_${ranks}`, parameters);
      launches.set(ranks, launch);
      const across = Math.ceil(columns / THIN_COLUMNS);
      const down = Math.max(1, Math.floor(blocksOf(rank) / across));
      const blockRows = Math.ceil(rows / down / THIN_ROWS) * THIN_ROWS;
      const blocks = across * Math.ceil(rows / blockRows);
      const values = [...places, rows, columns, rank, blockRows];
      launch(context.stream(), blocks, THIN_THREADS, values);
    };
  };

  /** x · matrixᵀ, for the first input x and a matrix [width, inner]. */
  const multiply = (context: KernelContext, matrix: bigint, [width, inner]: readonly number[]) => {
    const { address: x, dims } = context.input(0);
    const rows = elementCount(dims) / inner!;
    const result = context.output(0, [...dims.slice(0, -1), width!]);
    const sizes = { rows, width: width!, inner: inner! };
    kernels().product(type, context.stream(), sizes, { x, matrix, result });
  };

  const product: Operator = {
    name: "Product",
    inputs: [type, type],
    outputs: [type],
    kernel: () => (context) => {
      const { address, dims } = context.input(1);
      multiply(context, address, dims);
    },
  };

  /**
   * Matrices with what adapters add to them: matrix + up · strength · downᵀ, each from four inputs one
   * after the other, of which the first of all is `first`. Where there is memory to spare, they are kept
   * for as long as the adapters' weights, the input after the last, are the same.
   */
  const adaptedMatrices = (first: number, count: number) => {
    const add = thinKernel("add_thin", 5, thinBlocks);
    let kept: { readonly place: bigint | undefined; weights?: Float32Array } | undefined;
    const indices = Array.from({ length: count }, (_, index) => first + 4 * index);
    return {
      /** Where they are. */
      of(context: KernelContext): readonly bigint[] {
        const { address: weightsAt, dims: [adapters] } = context.input(first + 4 * count);
        const weights = new Float32Array(memoryAt(weightsAt, adapters! * FLOAT_BYTES));
        // Without, they stay what they were.
        if (weights.every((weight) => weight === 0)) {
          return indices.map((index) => context.address(index));
        }
        const { memory } = kernels();
        const [rows, columns] = context.input(first).dims as [number, number];
        const bytes = rows * columns * VALUE_BYTES;
        kept ??= { place: memory.keep(count * bytes) };
        const { place = memory.scratch(count * bytes) } = kept;
        const places = indices.map((_, index) => place + BigInt(index * bytes));
        if (weights.every((weight, index) => weight === kept?.weights?.[index])) return places;
        delete kept.weights;
        for (const [which, index] of indices.entries()) {
          const { dims: [, rank] } = context.input(index + 1);
          const inputs = [0, 1, 2, 3].map((offset) => context.address(index + offset));
          add(context, [...inputs, places[which]!], { rows, columns, rank: rank! });
        }
        if (kept.place !== undefined) kept.weights = weights.slice();
        return places;
      },
      [Symbol.dispose]() {
        if (kept?.place !== undefined) kernels().memory.release(kept.place);
        kept = undefined;
      },
    };
  };

  // A product with what adapters add to its matrix.
  const adaptedProduct: Operator = {
    name: "AdaptedProduct",
    inputs: [type, type, type, type, "float32", "float32"],
    outputs: [type],
    inMemory: [5],
    kernel: () => {
      const matrices = adaptedMatrices(1, 1);
      const compute = (context: KernelContext) => {
        const [matrix] = matrices.of(context) as [bigint];
        multiply(context, matrix, context.input(1).dims);
      };
      return Object.assign(compute, { [Symbol.dispose]: matrices[Symbol.dispose] });
    },
  };

  // GatedProduct with what adapters add to its matrices.
  const adaptedGatedProduct: Operator = {
    name: "AdaptedGatedProduct",
    inputs: [type, ...[0, 1].flatMap(() => [type, type, type, "float32" as const]), "float32"],
    outputs: [type],
    inMemory: [9],
    kernel: () => {
      const launch = gatedLaunch(type, kernels());
      const matrices = adaptedMatrices(1, 2);
      const compute = (context: KernelContext) => {
        const [width, inner] = context.input(1).dims as [number, number];
        const [gate, value] = matrices.of(context) as [bigint, bigint];
        launch(context, { gate, value, width, inner });
      };
      return Object.assign(compute, { [Symbol.dispose]: matrices[Symbol.dispose] });
    },
  };

  // PairSwiGLU of products with what adapters add to them.
  const adaptedSwiglu: Operator = {
    name: "AdaptedSwiGLU",
    inputs: [type, type, type, type, type, type, "float32"],
    outputs: [type],
    kernel: () => {
      const compute = thinKernel("adapted_swiglu", 7, gateBlocks);
      return (context) => {
        const { gate, x, dims } = pairOf(context);
        const { address: up, dims: [columns, rank] } = context.input(4);
        const factors = [context.address(3), up, context.address(5), context.address(6)];
        const sizes = { rows: elementCount(dims) / columns!, columns: columns!, rank: rank! };
        compute(context, [gate, x, ...factors, context.output(0, dims)], sizes);
      };
    },
  };

  // sum + weight · scale · low · upᵀ: what an adapter adds to a product.
  const addThin: Operator = {
    name: "AddThin",
    inputs: [type, "float32", type, type],
    outputs: [type],
    inMemory: [1],
    isInPlace: true,
    kernel: (attributes) => {
      const adapter = attributes.int("adapter");
      const scale = attributes.float("scale");
      return (context) => {
        const { address: sum, dims } = context.input(0);
        const { address: up, dims: upDims } = context.input(3);
        const [width, inner] = upDims.slice(-2) as [number, number];
        const count = elementCount(upDims) / width / inner;
        const rows = elementCount(dims) / width / count;
        const output = context.output(0, dims);
        const stream = context.stream();
        const bytes = elementCount(dims) * VALUE_BYTES;
        if (output !== sum) kernels().copy(stream, sum, output, bytes);
        const weights = memoryAt(context.address(1), (adapter + 1) * FLOAT_BYTES);
        const factor = new Float32Array(weights)[adapter]! * scale;
        // Without, it stays what it was.
        if (factor === 0) return;
        kernels().addProducts(
          type,
          stream,
          { rows, width, inner, count, factor },
          { x: context.address(2), matrix: up, sum: output },
        );
      };
    },
  };

  return {
    domain: OWN_DOMAIN,
    keep: (matrices) => keepInt8Matrices(kernels(), matrices),
    fill: (pieces) => Uploads.of(openDriver()).copy(pieces),
    operators: [
      ...int8Operators(type, kernels),
      gatedProduct(type, kernels),
      groupedAttention(type, kernels),
      normAddNorm,
      splitHeads,
      queriesAndKeys,
      swiglu,
      twoProducts,
      pairSwiglu,
      adaptedSwiglu,
      product,
      adaptedProduct,
      adaptedGatedProduct,
      addThin,
    ],
  };
}

function pointers(count: number): Parameter[] {
  return new Array<Parameter>(count).fill("pointer");
}
