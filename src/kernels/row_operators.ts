/**
 * The operators over rows: norms with what is added to them, and attention's heads.
 *
 * @module
 */
import { VECTOR_VALUES, WARP_THREADS } from "../onnx/mod.ts";
import type { Operator } from "../runtime/native/custom_operators.ts";
import { elementCount } from "../tensor.ts";
import { BLOCK, type CudaKernels, type KernelType, pointers } from "./cuda_kernels.ts";

/** The operators over rows, for graphs that compute in a type. */
export function rowOperators(type: KernelType, kernels: () => CudaKernels): readonly Operator[] {
  const normAddNorm: Operator = {
    name: "NormAddNorm",
    inputs: [type, type, type, type],
    outputs: [type, type],
    kernel: (attributes) => {
      const launch = kernels().kernel("norm_add_norm", type, [
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
      const launch = kernels().kernel("split_heads", type, [
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

  return [normAddNorm, splitHeads, queriesAndKeys];
}
