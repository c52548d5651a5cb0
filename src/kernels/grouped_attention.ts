import type { KernelContext, Operator } from "../runtime/native/custom_operators.ts";
import {
  type CudaKernels,
  type KernelType,
  type Launch,
  type Parameter,
  pointers,
  type TensorMap,
  VALUE_BYTES,
} from "./cuda_kernels.ts";

/** Warpgroups that attend, the queries of each, and the threads of a block with the one that reads. */
const WARPGROUPS = 2;
const QUERIES = 64;
const THREADS = 128 * (WARPGROUPS + 1);
/** Keys of a step, and how many steps' keys and values there is room for. */
const KEYS = 128;
const STAGES = 3;
const FLOAT_BYTES = 4;
/** Threads of a block that joins, each with so many values of a row. */
const JOIN_THREADS = 256;
const JOINED_VALUES = 4;
/** Steps below which a share is not worth what joining it takes. */
const LEAST_SHARE = 4;
/** Of the GPU's blocks, so many with a tile of their own leave nothing to be shared. */
const NEARLY_ALL = 0.85;

/** Attention's extents. */
interface Extents {
  readonly tokens: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
}

/** How the tiles of 128 queries are spread over the blocks. */
interface Plan {
  /** Tiles of which each is one block's. */
  readonly whole: number;
  /** The others, whose keys are shared out. */
  readonly shared: number;
  /** Steps over keys that each block has of those. */
  readonly share: number;
}

/**
 * Each block takes whole tiles, as many as all others. Those left over would keep a few busy while the
 * rest wait: they are cut along their keys, an equal share for each block, and joined afterwards.
 */
function planOf({ tokens, heads, keyValueHeads }: Extents, blocks: number): Plan {
  const units = Math.ceil(tokens / QUERIES) * heads / keyValueHeads;
  const tiles = Math.ceil(units / WARPGROUPS) * keyValueHeads;
  const left = tiles % blocks;
  if (left === 0 || left > NEARLY_ALL * blocks) return { whole: tiles, shared: 0, share: 1 };
  const steps = Math.ceil(tokens / KEYS);
  const share = Math.max(LEAST_SHARE, Math.ceil(left * steps / blocks));
  return { whole: tiles - left, shared: left, share: Math.min(share, steps) };
}

/**
 * Attention of queries [1, S, heads · headDim] over keys [1, S, keyValueHeads · headDim] and the values
 * that stand last in each row of the product of all three: one kernel, which Hopper alone has.
 */
export function groupedAttention(type: KernelType, kernels: () => CudaKernels): Operator {
  return {
    name: "GroupedAttention",
    inputs: [type, type, type],
    outputs: [type],
    kernel: (attributes) => {
      const heads = attributes.int("num_heads");
      const keyValueHeads = attributes.int("kv_num_heads");
      // Powers of two are what a GPU has.
      const factor = attributes.float("scale") * Math.LOG2E;
      const own = kernels();
      const launches = new Map<number, ReturnType<typeof launchesOf>>();
      const known = new Map<number, { place: string; map: TensorMap }>();
      const mapOf = (index: number, heads: Parameters<CudaKernels["headsMap"]>[1]) => {
        const place = Object.values(heads).join(" ");
        let found = known.get(index);
        if (found?.place !== place) {
          known.set(index, found = { place, map: own.headsMap(type, heads) });
        }
        return found.map.address;
      };
      return (context: KernelContext) => {
        const { address: queries, dims } = context.input(0);
        const { address: product, dims: [, , wholeWidth] } = context.input(2);
        const [, tokens, width] = dims as [number, number, number];
        const headDim = width / heads;
        const keysWidth = keyValueHeads * headDim;
        const { attend, join } = launches.get(headDim) ?? launchesOf(own, type, headDim);
        launches.set(headDim, { attend, join });
        const all = { tokens, headDim };
        const keys = { ...all, heads: keyValueHeads, boxTokens: KEYS };
        const values = product + BigInt((wholeWidth! - keysWidth) * VALUE_BYTES);
        const maps = [
          mapOf(0, { ...all, address: queries, heads, rowValues: width, boxTokens: QUERIES }),
          mapOf(1, { ...keys, address: context.address(1), rowValues: keysWidth }),
          mapOf(2, { ...keys, address: values, rowValues: wholeWidth! }),
        ];
        const blocks = own.multiprocessors;
        const { whole, shared, share } = planOf({ tokens, heads, keyValueHeads, headDim }, blocks);
        const rows = WARPGROUPS * QUERIES;
        // Up to two parts a block, each row with its largest score and its sum.
        const bytes = 2 * blocks * rows * (headDim + 2) * FLOAT_BYTES;
        const parts = shared === 0 ? 0n : own.memory.scratch(bytes);
        const out = context.output(0, dims);
        const stream = context.stream();
        const sizes = [tokens, heads, keyValueHeads];
        attend(stream, blocks, THREADS, [...maps, out, parts, ...sizes, factor, whole, share]);
        if (shared === 0) return;
        const joined = Math.ceil(shared * rows * headDim / JOINED_VALUES / JOIN_THREADS);
        join(stream, joined, JOIN_THREADS, [parts, out, ...sizes, whole, share]);
      };
    },
  };
}

const ATTEND: readonly Parameter[] = [
  ...new Array<Parameter>(3).fill("map"),
  ...pointers(2),
  ...new Array<Parameter>(3).fill("i32"),
  "f32",
  "i32",
  "i32",
];
const JOIN: readonly Parameter[] = [
  ...pointers(2),
  ...new Array<Parameter>(5).fill("i32"),
];

/** Both kernels for heads of a size. */
function launchesOf(
  own: CudaKernels,
  type: KernelType,
  headDim: number,
): { readonly attend: Launch; readonly join: Launch } {
  const module = "hopper_attention";
  const row = headDim * VALUE_BYTES;
  const rows = WARPGROUPS * QUERIES;
  // Queries; keys and values; the result, its rows 16 bytes apart; what the first needs to begin at 1024.
  const shared = rows * row + STAGES * 2 * KEYS * row + rows * (row + 16) + 1024;
  return {
    attend: own.kernel(`attend_${headDim}`, type, ATTEND, { module, shared }),
    join: own.kernel(`join_attended_${headDim}`, type, JOIN, { module }),
  };
}
