import type { DeviceChoice } from "../machine/mod.ts";
import type { Dtype } from "../onnx/mod.ts";
import {
  type MemoryBudget,
  offloadFor,
  offloadForGpu,
  requireGpuMemory,
  requireModelMemory,
} from "./_memory_budget.ts";
import type { OffloadMode } from "./checkpoint/memory.ts";
import type { SizedPart } from "./load_parts.ts";

/**
 * Which parts stay loaded.
 *
 * @param asked The mode, or the fastest that fits.
 * @param options `budget`: of a CPU, where it is known; `dtype`: as it was asked for.
 * @throws {InsufficientMemoryError} When not even the smallest picture can fit into a CPU's memory.
 * @throws {RequestError} When another GPU than the first has no room for what it is to hold.
 */
export function chooseOffload(
  parts: readonly SizedPart[],
  asked: OffloadMode | "auto",
  place: DeviceChoice,
  { budget, dtype }: {
    readonly budget: MemoryBudget | undefined;
    readonly dtype: Dtype | "auto";
  },
): OffloadMode {
  if (place.device === "cpu") {
    const mode = asked === "auto" ? offloadFor(parts, budget) : asked;
    if (budget !== undefined) requireModelMemory(parts, mode, budget);
    return mode;
  }
  if (asked !== "auto") return asked;
  const mode = offloadForGpu(parts, place, dtype);
  requireGpuMemory(parts, place.others ?? [], mode, dtype);
  return mode;
}
