/**
 * Adapters: LoRA and its relatives, from the files of every program that writes them.
 *
 * @module
 */
export { type AdaptableNetwork, adaptablePart } from "./adaptable_part.ts";
export { AdapterError, type AdapterProblem, type AdapterProblemKind } from "./adapter_error.ts";
export { denseChange, needsBaseWeight } from "./dense_change.ts";
export { isAdapter } from "./is_adapter.ts";
export { readAdapter, type ReadAdapterOptions } from "./read_adapter.ts";
export type {
  AdaptablePart,
  AdaptableParts,
  Adapter,
  AdapterFormat,
  AdapterTarget,
  Change,
  DoraChange,
  Factor,
  FullChange,
  HadamardChange,
  KroneckerChange,
  LowRankChange,
  Product,
  ReplacementChange,
} from "./types.ts";
