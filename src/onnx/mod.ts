/**
 * The graph compiler: ONNX models built in memory, over weights that stay in their files.
 *
 * @module
 */
export * from "./activations.ts";
export { type Adaptation, type ThinChange } from "./adaptation.ts";
export * from "./attention.ts";
export {
  ADAPTER_WEIGHTS,
  type CompiledGraph,
  Graph,
  type GraphPolicy,
  isBlockEntry,
  type MatrixRows,
  MOST_OWN_BYTES,
  OWN_DOMAIN,
  type OwnMatrix,
  type Port,
  type StoredWeight,
  unpackedByteLength,
  type UnpackedWeight,
  type Value,
} from "./graph.ts";
export {
  type Adapter,
  type Device,
  DEVICES,
  type Dtype,
  DTYPE_POLICIES,
  type DtypePolicy,
  dtypePolicy,
  DTYPES,
  INTERFACE_TYPE,
  withoutOwnOperators,
} from "./dtype_policy.ts";
export {
  ATTENTION_HEADS,
  LANE_VALUES,
  LONGEST_HEAD,
  LONGEST_INT8_ROW,
  LONGEST_ROW,
  ROTATED_VALUES,
  RUN_VALUES,
  THIN_RANKS,
  VECTOR_VALUES,
  WARP_THREADS,
} from "./kernel_limits.ts";
export { fitsInt8, type Int8Matrix, type Int8Rows, normAddNormInt8 } from "./int8_products.ts";
export * from "./norms.ts";
export * from "./operators.ts";
export * from "./parameters.ts";
export * from "./products.ts";
export { UnpackThreads } from "./unpack_threads.ts";
export { weightsInMemory } from "./weights_in_memory.ts";
export { type Dimension, type ElementType, float, type FloatType } from "./types.ts";
