/**
 * The project's own operators on a GPU.
 *
 * @module
 */
import { OWN_DOMAIN, VECTOR_VALUES, WARP_THREADS } from "../onnx/mod.ts";
import type { CudaDriver } from "../runtime/native/cuda_driver.ts";
import { memoryAt } from "../runtime/native/c_api.ts";
import type { KernelContext, Operator, OperatorSet } from "../runtime/native/custom_operators.ts";
import { elementCount } from "../tensor.ts";
import { CudaKernels, type KernelType, type Parameter, VALUE_BYTES } from "./cuda_kernels.ts";

/** Bytes of an adapter's weight. */
const FLOAT_BYTES = 4;
/** Threads of a block, where a kernel leaves the choice. */
const BLOCK = 256;

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

  const splitHeads: Operator = {
    name: "SplitHeads",
    inputs: [type, type, type, "float32", "float32"],
    outputs: [type, type, type],
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
        const dims = [batch!, tokens!, heads * headDim];
        const outputs = [0, 1, 2].map((index) => context.output(index, dims));
        const blocks = Math.ceil(tokens! * allHeads * WARP_THREADS / BLOCK);
        const sizes = [tokens!, heads, keyValueHeads, headDim, epsilon];
        launch(context.stream(), blocks, BLOCK, [address, ...places, ...outputs, ...sizes]);
      };
    },
  };

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
      const { address: first, dims: [width, inner] } = context.input(1);
      const rows = elementCount(dims) / inner!;
      const products = context.output(0, [2, ...dims.slice(0, -1), width!]);
      const places = { x, first, second: context.address(2), products };
      const sizes = { rows, width: width!, inner: inner! };
      kernels().productOfBoth(type, context.stream(), sizes, places);
    },
  };

  const pairSwiglu: Operator = {
    name: "PairSwiGLU",
    inputs: [type],
    outputs: [type],
    kernel: () => {
      const gate = gateKernel();
      return (context) => {
        const { address, dims: [, ...dims] } = context.input(0);
        gate(context, address, address + BigInt(elementCount(dims) * VALUE_BYTES), dims);
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
    operators: [normAddNorm, splitHeads, swiglu, twoProducts, pairSwiglu, addThin],
  };
}

function pointers(count: number): Parameter[] {
  return new Array<Parameter>(count).fill("pointer");
}
