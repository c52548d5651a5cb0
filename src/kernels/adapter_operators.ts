/**
 * The operators of adapters: matrices with what is added to them, and thin products beside them.
 *
 * @module
 */
import { THIN_RANKS } from "../onnx/mod.ts";
import { memoryAt } from "../runtime/native/c_api.ts";
import type { KernelContext, Operator } from "../runtime/native/custom_operators.ts";
import { elementCount } from "../tensor.ts";
import {
  type CudaKernels,
  type KernelType,
  type Launch,
  type Parameter,
  pointers,
  VALUE_BYTES,
} from "./cuda_kernels.ts";
import { gatedLaunch } from "./gated_product.ts";
import { multiply, pairOf } from "./product_operators.ts";

/** Bytes of an adapter's weight. */
const FLOAT_BYTES = 4;
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

/** The operators of adapters, for graphs that compute in a type. */
export function adapterOperators(
  type: KernelType,
  kernels: () => CudaKernels,
): readonly Operator[] {
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
      const launch = launches.get(ranks) ?? kernels().kernel(`${name}_${ranks}`, type, parameters);
      launches.set(ranks, launch);
      const across = Math.ceil(columns / THIN_COLUMNS);
      const down = Math.max(1, Math.floor(blocksOf(rank) / across));
      const blockRows = Math.ceil(rows / down / THIN_ROWS) * THIN_ROWS;
      const blocks = across * Math.ceil(rows / blockRows);
      const values = [...places, rows, columns, rank, blockRows];
      launch(context.stream(), blocks, THIN_THREADS, values);
    };
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
        multiply(context, kernels(), type, matrix, context.input(1).dims);
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

  return [adaptedSwiglu, adaptedProduct, adaptedGatedProduct, addThin];
}
