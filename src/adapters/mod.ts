/**
 * Adapters: LoRA and its relatives, from the files of every program that writes them.
 *
 * @module
 */
export { type AdaptableNetwork, adaptablePart } from "./adaptable_part.ts";
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
