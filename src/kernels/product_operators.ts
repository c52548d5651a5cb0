/**
 * The operators of products and of a gated layer's gate.
 *
 * @module
 */
import { VECTOR_VALUES } from "../onnx/mod.ts";
import type { KernelContext, Operator } from "../runtime/native/custom_operators.ts";
import { elementCount } from "../tensor.ts";
import { BLOCK, type CudaKernels, type KernelType, pointers, VALUE_BYTES } from "./cuda_kernels.ts";

/** The operators of products, for graphs that compute in a type. */
export function productOperators(
  type: KernelType,
  kernels: () => CudaKernels,
): readonly Operator[] {
  const gateKernel = () => {
    const launch = kernels().kernel("swiglu", type, [...pointers(3), "i64"]);
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

  const product: Operator = {
    name: "Product",
    inputs: [type, type],
    outputs: [type],
    kernel: () => (context) => {
      const { address, dims } = context.input(1);
      multiply(context, kernels(), type, address, dims);
    },
  };

  return [swiglu, twoProducts, pairSwiglu, product];
}

/** x · matrixᵀ, for the first input x and a matrix [width, inner]. */
export function multiply(
  context: KernelContext,
  kernels: CudaKernels,
  type: KernelType,
  matrix: bigint,
  [width, inner]: readonly number[],
): void {
  const { address: x, dims } = context.input(0);
  const rows = elementCount(dims) / inner!;
  const result = context.output(0, [...dims.slice(0, -1), width!]);
  const sizes = { rows, width: width!, inner: inner! };
  kernels.product(type, context.stream(), sizes, { x, matrix, result });
}

/** The gate's product and the other one of what `TwoProducts` gives: the first three inputs. */
export function pairOf(context: KernelContext) {
  const { address, dims: [, ...dims] } = context.input(0);
  const behind = address + BigInt(elementCount(dims) * VALUE_BYTES);
  const isGateFirst = context.address(1) < context.address(2);
  const [gate, x] = isGateFirst ? [address, behind] : [behind, address];
  return { gate, x, dims };
}
