import type { KernelContext, Operator } from "../runtime/native/custom_operators.ts";
import { elementCount } from "../tensor.ts";
import type { CudaKernels, KernelType, Launch, TensorMap } from "./cuda_kernels.ts";

/** Rows and columns of a tile of both products, and the values of a row that are read at once. */
const TILE = 128;
const VALUES = 64;
const THREADS = 384;
/** Three stages of three tiles; the result, its rows 16 bytes apart; what the first needs to begin at 1024. */
const SHARED = 3 * 3 * TILE * VALUES * 2 + TILE * (2 * TILE + 16) + 1024;
/** Rows of tiles that are gone through together, so that what they read is still in the cache. */
const BAND = 16;

/** Matrices of a gated layer, [width, inner] each. */
export interface GatedMatrices {
  readonly gate: bigint;
  readonly value: bigint;
  readonly width: number;
  readonly inner: number;
}

/** silu(x · gateᵀ) · (x · valueᵀ) of a kernel's first input, which becomes its output. */
export type GatedLaunch = (context: KernelContext, matrices: GatedMatrices) => void;

/** The one kernel of a gated layer, which Hopper alone has, in bfloat16. */
export function gatedLaunch(type: KernelType, own: CudaKernels): GatedLaunch {
  const launch: Launch = own.kernel(
    "gated_product",
    type,
    ["map", "map", "map", "pointer", "i32", "i32", "i32", "i32"],
    { module: "hopper_gated", shared: SHARED },
  );
  // Weights stay where they are, and activations often come to lie where others lay.
  const known = new Map<number, { place: string; map: TensorMap }>();
  const mapOf = (index: number, matrix: bigint, rows: number, columns: number) => {
    const place = `${matrix} ${rows} ${columns}`;
    let found = known.get(index);
    if (found?.place !== place) {
      known.set(index, found = { place, map: own.tensorMap(matrix, rows, columns) });
    }
    return found.map.address;
  };
  return (context, { gate, value, width, inner }) => {
    const { address: x, dims } = context.input(0);
    const rows = elementCount(dims) / inner;
    const out = context.output(0, [...dims.slice(0, -1), width]);
    const maps = [
      mapOf(0, x, rows, inner),
      mapOf(1, gate, width, inner),
      mapOf(2, value, width, inner),
    ];
    const down = Math.ceil(rows / TILE);
    const band = Math.ceil(down / Math.max(1, Math.round(down / BAND)));
    const blocks = Math.min(own.multiprocessors, down * Math.ceil(width / TILE));
    const numbers = [rows, width, Math.ceil(inner / VALUES), band];
    launch(context.stream(), blocks, THREADS, [...maps, out, ...numbers]);
  };
}

/** silu(x · gateᵀ) · (x · valueᵀ) by one kernel. */
export function gatedProduct(type: KernelType, kernels: () => CudaKernels): Operator {
  return {
    name: "GatedProduct",
    inputs: [type, type, type],
    outputs: [type],
    kernel: () => {
      const launch = gatedLaunch(type, kernels());
      return (context) => {
        const { address: gate, dims: [width, inner] } = context.input(1);
        launch(context, { gate, value: context.address(2), width: width!, inner: inner! });
      };
    },
  };
}
