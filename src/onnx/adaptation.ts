/**
 * Adapters as a graph sees them: what stands beside a weight, and what takes a weight's place.
 *
 * @module
 */
import { rowsOf, type TensorEntry } from "../safetensors/mod.ts";
import { floatType } from "./_checks.ts";
import { ADAPTER_WEIGHTS, type Graph, type Value } from "./graph.ts";
import { THIN_RANKS } from "./kernel_limits.ts";
import { weightValue } from "./_weight_value.ts";
import { cast, concat, mul, reshape } from "./operators.ts";
import type { FloatType } from "./types.ts";

/** up · down · scale beside a matrix, or beside some of its rows (LoRA, Hu et al. 2021). */
export interface ThinChange {
  /** Its adapter's place in {@linkcode ADAPTER_WEIGHTS}. */
  readonly adapter: number;
  /** [rank, in] */
  readonly down: TensorEntry;
  /** [out, rank]; of a part of a matrix, its rows alone. */
  readonly up: TensorEntry;
  readonly scale: number;
  /** From which row to before which; all by default. */
  readonly rows?: readonly [from: number, to: number];
}

/** What adapters do to a network's tensors, which go by the names that its architecture gives them. */
export interface Adaptation {
  /** How many adapters there are, whether or not they touch this network. */
  readonly adapters: number;
  /** What runs beside each matrix; of the changes of one matrix those of one adapter are in a row. */
  readonly thin: ReadonlyMap<string, readonly ThinChange[]>;
  /** Values in the place of a tensor's own, in float32. */
  readonly merged: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/** x · downᵀ · strength · upᵀ, to be added to a product with x. */
export interface ThinProduct {
  /** Its adapter's place in {@linkcode ADAPTER_WEIGHTS}. */
  readonly adapter: number;
  /** [rank, in] */
  readonly down: Value;
  /** [rows, rank] */
  readonly up: Value;
  /** The input with the adapters' weights. */
  readonly weights: Value;
  /** What the weight is multiplied by; absent where rows of `down` have scales of their own. */
  readonly scale?: number;
  /** The adapter's weight times its scale, in a type: one value, or one for each row of `down`. */
  readonly strength: (type: FloatType) => Value;
  readonly rank: number;
}

/** Which rows of a matrix [out, in], and how long each of them is. */
export interface MatrixPart {
  /** From which row to before which. */
  readonly rows: readonly [from: number, to: number];
  /** The extent `in`. */
  readonly inner: number;
  /** Whether its products are those of tokens: [1, S, out]. */
  readonly isOfTokens?: boolean;
}

/**
 * The thin products beside some rows of a matrix, one an adapter. Each is computed by itself, so that
 * what an adapter adds does not depend on which others are loaded.
 */
export function thinProducts(
  graph: Graph,
  { adapters, thin }: Adaptation,
  tensor: string,
  { rows, inner }: MatrixPart,
  type: FloatType,
): readonly ThinProduct[] {
  const meant = (thin.get(tensor) ?? []).map((change): Placed => {
    const [start, end] = change.rows ?? [0, change.up.shape[0]!];
    return { change, start, from: Math.max(start, rows[0]), to: Math.min(end, rows[1]) };
  }).filter(({ from, to }) => from < to);
  const shared = sharedOf(graph, adapters);
  const byAdapter = Map.groupBy(meant, ({ change }) => change.adapter);
  return [...byAdapter.values()].map((own) => {
    const parts = own.map(({ change: { adapter, down, up, scale }, start, from, to }) => ({
      adapter,
      weights: shared.weights,
      scale,
      rank: down.shape[0]!,
      down: matrixOf(shared, `adapter/${adapter}`, down, [down.shape[0]!, inner], type),
      up: matrixOf(shared, `adapter/${adapter}`, rowsOf(up, [from - start, to - start]), [
        to - from,
        down.shape[0]!,
      ], type),
      strength: (type: FloatType) => strengthOf(shared, adapter, scale, type),
      from: from - rows[0],
      to: to - rows[0],
    }));
    return combined(parts, rows[1] - rows[0]);
  });
}

/** A change, from which row on it is meant, and which rows of the matrix are asked for. */
interface Placed {
  readonly change: ThinChange;
  readonly start: number;
  readonly from: number;
  readonly to: number;
}

/** A thin product for some of the rows. */
interface Part extends ThinProduct {
  readonly from: number;
  readonly to: number;
}

/**
 * One product for several, of which each has some of the rows. What is put together here are
 * constants alone: ONNX Runtime does it once, when the graph is loaded.
 */
function combined(parts: readonly Part[], rows: number): ThinProduct {
  const [first] = parts as [Part];
  const type = floatType(first.up);
  const { graph } = first.up;
  if (parts.length === 1 && first.from === 0 && first.to === rows) return first;
  const columns = parts.map(({ up, rank, from, to }) => {
    const zeros = (count: number) => count === 0 ? [] : [graph.zeros([count, rank], type)];
    const column = [...zeros(from), up, ...zeros(rows - to)];
    return column.length === 1 ? up : concat(column, 0);
  });
  const isOneScale = parts.every(({ scale }) => scale === first.scale);
  return {
    adapter: first.adapter,
    weights: first.weights,
    ...(isOneScale && first.scale !== undefined ? { scale: first.scale } : {}),
    rank: parts.reduce((sum, { rank }) => sum + rank, 0),
    down: parts.length === 1 ? first.down : concat(parts.map(({ down }) => down), 0),
    up: parts.length === 1 ? columns[0]! : concat(columns, 1),
    strength: isOneScale
      ? first.strength
      : (type) => joined(parts.map((part) => strengths(part, type)), 0),
  };
}

/** The strength of each row of a thin product's `down`: [rank], and zeros up to a length. */
function strengths(product: ThinProduct, type: FloatType, length = product.rank): Value {
  const { adapter, scale, rank, up: { graph } } = product;
  const zeros = new Array<number>(length - rank).fill(0);
  if (scale === undefined) {
    const own = product.strength(type);
    return zeros.length === 0 ? own : joined([own, graph.vector(zeros, type)], 0);
  }
  return graph.once(`strengths ${adapter} ${scale} ${rank} ${length} ${type}`, () => {
    const ones = new Array<number>(rank).fill(1);
    return mul(product.strength(type), graph.vector([...ones, ...zeros], type));
  });
}

/** Constants one after the other, put together when the graph is loaded; the same for all who ask. */
export function joined(values: readonly Value[], axis: number): Value {
  const [first] = values as [Value];
  if (values.length === 1) return first;
  return first.graph.once(`joined ${axis} ${values.map(({ name }) => name)}`, () => {
    return concat(values, axis);
  });
}

/** Thin products as our own kernels take them. */
export interface JoinedProducts {
  /** [rank, in]; the ranks of all products, each filled up with zeros. */
  readonly down: Value;
  /** [rows, rank] */
  readonly up: Value;
  /** [rank] in float32. */
  readonly strengths: Value;
}

/**
 * Several thin products as one. Each begins with ranks of its own, so that what an adapter adds does
 * not depend on which others are loaded.
 *
 * @param ranks How many each takes at least; one for which there is no product takes zeros.
 */
export function joinedProducts(
  thin: readonly (ThinProduct | undefined)[],
  { rows: [from, to], inner }: MatrixPart,
  graph: Graph,
  type: FloatType,
  ranks: readonly number[] = thin.map((product) => product?.rank ?? 0),
): JoinedProducts {
  const filled = thin.map((product, index) => {
    const length = Math.ceil(ranks[index]! / THIN_RANKS) * THIN_RANKS;
    const missing = length - (product?.rank ?? 0);
    const zeros = (...dims: readonly number[]) => missing === 0 ? [] : [graph.zeros(dims, type)];
    const own = (value: Value | undefined) => value === undefined ? [] : [value];
    return {
      down: joined([...own(product?.down), ...zeros(missing, inner)], 0),
      up: joined([...own(product?.up), ...zeros(to - from, missing)], 1),
      strengths: product === undefined
        ? graph.zeros([length], "float32")
        : strengths(product, "float32", length),
    };
  });
  return {
    down: joined(filled.map(({ down }) => down), 0),
    up: joined(filled.map(({ up }) => up), 1),
    strengths: joined(filled.map(({ strengths }) => strengths), 0),
  };
}

/**
 * The thin products of one adapter beside several matrices of one shape as one product over a batch:
 * `down` is [count · rank, in], `up` [count, width, rank], `strength` [count, 1, rank]. The thinner
 * are filled up with zeros, and so are those that are not there.
 */
export function stackedProducts(
  thin: readonly (ThinProduct | undefined)[],
  { rows: [from, to], inner }: MatrixPart,
): { readonly down: Value; readonly up: Value; readonly strength: Value; readonly rank: number } {
  const present = thin.filter((product) => product !== undefined);
  const { graph } = present[0]!.up;
  const type = floatType(present[0]!.up);
  const rank = Math.max(...present.map(({ rank }) => rank));
  const width = to - from;
  const filled = thin.map((product) => {
    const missing = rank - (product?.rank ?? 0);
    const zeros = (...dims: readonly number[]) => missing === 0 ? [] : [graph.zeros(dims, type)];
    const own = (value: Value | undefined) => value === undefined ? [] : [value];
    return {
      down: joined([...own(product?.down), ...zeros(missing, inner)], 0),
      up: joined([...own(product?.up), ...zeros(width, missing)], 1),
      strength: product === undefined ? graph.zeros([rank], type) : strengths(product, type, rank),
    };
  });
  const stack = (values: readonly Value[], dims: readonly number[]) =>
    reshape(concat(values, 0), dims);
  return {
    rank,
    down: joined(filled.map(({ down }) => down), 0),
    up: stack(filled.map(({ up }) => up), [thin.length, width, rank]),
    strength: stack(filled.map(({ strength }) => strength), [thin.length, 1, rank]),
  };
}

/** What the matrices of a graph share. */
interface Shared {
  readonly graph: Graph;
  readonly weights: Value;
}

function sharedOf(graph: Graph, adapters: number): Shared {
  const input = () => graph.input(ADAPTER_WEIGHTS, "float32", [adapters]);
  return { graph, weights: graph.once(ADAPTER_WEIGHTS, input) };
}

/** The weight of an adapter times the scale of a change, multiplied in float32: [1]. */
function strengthOf(shared: Shared, adapter: number, scale: number, type: FloatType): Value {
  return shared.graph.once(`strength ${adapter} ${scale} ${type}`, () => {
    const { graph, weights } = shared;
    const weight = graph.node("Gather", [weights, graph.integers([adapter])], "float32");
    return cast(mul(weight, graph.vector([scale], "float32")), type);
  });
}

/** A matrix in an adapter's file. */
function matrixOf(
  shared: Shared,
  prefix: string,
  entry: TensorEntry,
  shape: readonly [number, number],
  type: FloatType,
): Value {
  // Names are those of the file: two files have the same.
  const name = `${prefix}/${entry.name}`;
  return shared.graph.once(
    `${name} ${type}`,
    () => weightValue(shared.graph, { ...entry, name }, shape, type),
  );
}
