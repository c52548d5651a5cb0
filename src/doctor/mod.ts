/**
 * What a machine can run and what stands in the way: facts are gathered in one place and judged in
 * another, so that tests can judge the facts of any machine.
 *
 * @module
 */
export { diagnose } from "./diagnose.ts";
export { type Disk, type Facts, gatherFacts, type GatherOptions } from "./gather_facts.ts";
export { NEWBIE, type PartName } from "../families/mod.ts";
export type { MemoryEstimate, OffloadMode } from "../pipeline/checkpoint/memory.ts";
export { isSound, type ModelFacts, type Part, SLOTS } from "./models.ts";
export type { Area, Diagnosis, Finding, FindingCode, Fit, Severity } from "./types.ts";
