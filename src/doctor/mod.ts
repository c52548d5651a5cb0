/**
 * What a machine can run and what stands in the way: facts are gathered in one place and judged in
 * another, so that the judgement can be tested on machines that nobody has at hand.
 *
 * @module
 */
export { diagnose } from "./diagnose.ts";
export { type Disk, type Facts, gatherFacts, type GatherOptions } from "./gather_facts.ts";
export type { Role } from "../pipeline/checkpoint/find_checkpoint.ts";
export {
  type MemoryEstimate,
  type OffloadMode,
  PUBLISHED_PARTS,
} from "../pipeline/checkpoint/memory.ts";
export { isSound, type ModelFacts, type Part, SLOTS } from "./models.ts";
export type { Area, Diagnosis, Finding, FindingCode, Fit, Severity } from "./types.ts";
