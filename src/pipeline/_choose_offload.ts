import type { DeviceChoice } from "../machine/mod.ts";
import {
  type MemoryBudget,
  offloadFor,
  offloadForGpu,
  requireGpuMemory,
  requireModelMemory,
} from "./_memory_budget.ts";
import type { MemoryOptions, OffloadMode } from "./checkpoint/memory.ts";
import type { SizedPart } from "./load_parts.ts";

/**
 * Which parts stay loaded.
 *
 * @param asked The mode, or the fastest that fits.
 * @param options `budget`: of a CPU, where it is known; `dtype`: as it was asked for; `kernels`: those
 *   that are to compute on a GPU.
 * @throws {InsufficientMemoryError} When not even the smallest picture can fit into a CPU's memory.
 * @throws {RequestError} When another GPU than the first has no room for what it is to hold.
 */
export function chooseOffload(
  parts: readonly SizedPart[],
  asked: OffloadMode | "auto",
  place: DeviceChoice,
  { budget, ...options }: MemoryOptions & { readonly budget: MemoryBudget | undefined },
): OffloadMode {
  if (place.device === "cpu") {
    const mode = asked === "auto" ? offloadFor(parts, budget) : asked;
    if (budget !== undefined) requireModelMemory(parts, mode, budget);
    return mode;
  }
  if (asked !== "auto") return asked;
  const mode = offloadForGpu(parts, place, options);
  requireGpuMemory(parts, place.others ?? [], mode, options);
  return mode;
}
