/**
 * The project's own operators on a GPU.
 *
 * @module
 */
import { OWN_DOMAIN } from "../onnx/mod.ts";
import type { CudaDriver } from "../runtime/native/cuda_driver.ts";
import type { OperatorSet } from "../runtime/native/custom_operators.ts";
import { Uploads } from "../runtime/native/uploads.ts";
import { adapterOperators } from "./adapter_operators.ts";
import { CudaKernels, type KernelType } from "./cuda_kernels.ts";
import { gatedProduct } from "./gated_product.ts";
import { groupedAttention } from "./grouped_attention.ts";
import { int8Operators } from "./int8_operators.ts";
import { keepInt8Matrices } from "./keep_int8_matrices.ts";
import { productOperators } from "./product_operators.ts";
import { rowOperators } from "./row_operators.ts";

/**
 * The operators for graphs that compute in a type.
 *
 * @param openDriver Is asked for the driver when the first graph is loaded, which is when ONNX
 *   Runtime has loaded its own libraries.
 */
export function cudaOperators(type: KernelType, openDriver: () => CudaDriver): OperatorSet {
  const kernels = () => CudaKernels.of(openDriver());
  return {
    domain: OWN_DOMAIN,
    keep: (matrices) => keepInt8Matrices(kernels(), matrices),
    fill: (pieces) => Uploads.of(openDriver()).copy(pieces),
    operators: [
      ...int8Operators(type, kernels),
      gatedProduct(type, kernels),
      groupedAttention(type, kernels),
      ...rowOperators(type, kernels),
      ...productOperators(type, kernels),
      ...adapterOperators(type, kernels),
    ],
  };
}
