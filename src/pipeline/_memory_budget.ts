/** Whether a picture fits into the computer's memory, asked before anything is computed. */
import { RequestError } from "../errors.ts";
import { formatBytes } from "../format_bytes.ts";
import {
  type ChosenGpu,
  type DeviceChoice,
  localHost,
  type MachineMemory,
  readMemory,
} from "../machine/mod.ts";
import {
  estimateMemory,
  type MemoryOptions,
  OFFLOAD_MODES,
  type OffloadMode,
  offloadThatFits,
  type SpareMemory,
  spareMemory,
  trainedSize,
} from "./checkpoint/memory.ts";
import type { SizedPart } from "./load_parts.ts";
import { InsufficientMemoryError } from "./insufficient_memory_error.ts";

/** Memory in bytes that this program may have, with what it holds already. */
export interface MemoryBudget {
  readonly bytes: number;
  /** Whether it is a limit set for this program, and not the machine's own memory. */
  readonly isLimit: boolean;
}

/** Estimates are within a tenth of what is taken; only what cannot fit even so is refused. */
const CERTAIN = 0.9;

/** What this program may have; `undefined` where that may not be asked. */
export async function memoryBudget(): Promise<MemoryBudget | undefined> {
  const memory = await readMemory(localHost());
  return memory && budgetOf(memory, Deno.memoryUsage().rss);
}

/** @param held What the program holds already, in bytes. */
export function budgetOf(
  { available, limit, swapFree }: MachineMemory,
  held: number,
): MemoryBudget {
  // Whether a limit counts swap is not known, so none is counted.
  return limit === undefined
    ? { bytes: available + swapFree + held, isLimit: false }
    : { bytes: Math.min(limit, available + held), isLimit: true };
}

/** The mode for a CPU: the fastest in which a picture of the model's own size fits. */
export function offloadFor(
  parts: readonly SizedPart[],
  budget: MemoryBudget | undefined,
): OffloadMode {
  if (budget === undefined) return "none";
  const estimate = estimateMemory(parts, "cpu", trainedSize(parts));
  return offloadThatFits(estimate, budget.bytes / CERTAIN) ?? "sequential";
}

/**
 * The mode for a GPU, by what is free of its memory: the fastest in which a picture of the model's
 * own size fits, or the one that takes least. WebGPU does not say what is free, only how large a
 * buffer may be: what fits into that stays loaded. Else one part at a time, as where nothing is known.
 */
export function offloadForGpu(
  parts: readonly SizedPart[],
  { device, memoryFree, adapter }: DeviceChoice,
  options: MemoryOptions,
): OffloadMode {
  const estimate = estimateMemory(parts, device, trainedSize(parts), options);
  if (memoryFree !== undefined) return offloadThatFits(estimate, memoryFree) ?? "sequential";
  return estimate.peak.none <= (adapter?.maxBufferBytes ?? 0) ? "none" : "model";
}

/** What a model leaves of a GPU's memory; `undefined` where that is not known. */
export function spareOnGpu(
  parts: readonly SizedPart[],
  { device, memoryFree }: DeviceChoice,
  offload: OffloadMode,
  options: MemoryOptions,
): SpareMemory | undefined {
  if (device === "cpu" || memoryFree === undefined) return undefined;
  const estimate = estimateMemory(parts, device, trainedSize(parts), options);
  return spareMemory(estimate, offload, memoryFree);
}

/**
 * Refuses GPUs besides the first that have no room for what they are to hold: the transformer.
 *
 * @throws {RequestError} With what one has and what it needs.
 */
export function requireGpuMemory(
  parts: readonly SizedPart[],
  others: readonly ChosenGpu[],
  offload: OffloadMode,
  options: MemoryOptions,
): void {
  const shared = parts.filter(({ name }) => name === "transformer");
  const needed = estimateMemory(shared, "cuda", trainedSize(parts), options).peak[offload];
  const small = others.find(({ memoryFree = Infinity }) => memoryFree < needed);
  if (small === undefined) return;
  const { deviceId, gpu = "GPU", memoryFree } = small;
  const [free, share] = [memoryFree!, needed].map((bytes) => formatBytes(bytes));
  throw new RequestError(
    `cuda:${deviceId} (${gpu}) has ${free} of memory free, and the transformer takes about ${share} ` +
      `there (offload: ${offload}). End what uses it, leave it out with CUDA_VISIBLE_DEVICES, or draw ` +
      "on one GPU: --gpus 1",
    {
      zh: `cuda:${deviceId}（${gpu}）空闲显存为 ${free}，而 Transformer 在其上约需 ${share}` +
        `（offload: ${offload}）。请结束占用它的程序，用 CUDA_VISIBLE_DEVICES 排除它，` +
        "或只用一块显卡：--gpus 1",
    },
  );
}

/**
 * Refuses a model of which not even the smallest picture can fit, before its weights are loaded.
 *
 * @throws {InsufficientMemoryError}
 */
export function requireModelMemory(
  parts: readonly SizedPart[],
  offload: OffloadMode,
  budget: MemoryBudget,
): void {
  if (estimateMemory(parts, "cpu", 0).peak[offload] * CERTAIN <= budget.bytes) return;
  const size = trainedSize(parts);
  requireMemory({ parts, offload, width: size, height: size, multiple: size }, budget);
}

/** What {@linkcode requireMemory} is asked. */
export interface PictureNeeds {
  readonly parts: readonly SizedPart[];
  readonly offload: OffloadMode;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** What width and height must be multiples of. */
  readonly multiple: number;
}

/**
 * Refuses a picture that cannot fit.
 *
 * @throws {InsufficientMemoryError} With what it takes, what there is and what would fit.
 */
export function requireMemory(needs: PictureNeeds, budget: MemoryBudget): void {
  const { parts, offload, width, height, multiple } = needs;
  const peak = (width: number, height: number) =>
    estimateMemory(parts, "cpu", Math.sqrt(width * height)).peak;
  const fits = (bytes: number) => bytes * CERTAIN <= budget.bytes;
  const asked = peak(width, height);
  if (fits(asked[offload])) return;
  const scaled = (factor: number) => ({
    width: Math.floor(width * factor / multiple) * multiple,
    height: Math.floor(height * factor / multiple) * multiple,
  });
  let [small, large] = [0, 1];
  for (let halvings = 0; halvings < 20; halvings++) {
    const middle = (small + large) / 2;
    const size = scaled(middle);
    if (fits(peak(size.width, size.height)[offload])) small = middle;
    else large = middle;
  }
  const largest = scaled(small);
  const slower = OFFLOAD_MODES.slice(OFFLOAD_MODES.indexOf(offload) + 1);
  throw new InsufficientMemoryError({
    width,
    height,
    needed: asked[offload],
    available: budget.bytes,
    isLimit: budget.isLimit,
    fits: largest.width > 0 && largest.height > 0 ? largest : undefined,
    suggestion: slower.find((mode) => fits(asked[mode])),
  });
}
