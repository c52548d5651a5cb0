/**
 * What a diagnosis consists of.
 *
 * @module
 */
import type { Device } from "../onnx/mod.ts";
import type { Obstacle } from "../machine/mod.ts";
import type { MemoryEstimate, OffloadMode } from "../pipeline/checkpoint/memory.ts";

/** What a finding is about; the report has a section for each. */
export type Area = "system" | "gpu" | "provider" | "models";

/**
 * - `ok`: as it should be;
 * - `note`: good to know, nothing is wrong;
 * - `warning`: pictures can be made, but not as well as they could;
 * - `error`: what was asked for cannot be used.
 */
export type Severity = "ok" | "note" | "warning" | "error";

/** Something that was found, under a name that never changes. */
export interface Finding {
  readonly area: Area;
  readonly code: FindingCode;
  readonly severity: Severity;
  /** For people, in their language. */
  readonly message: string;
  /** The one command that fixes it. */
  readonly fix?: string;
}

/** The names of findings. */
export type FindingCode =
  | Obstacle["code"]
  | "binding-works"
  | "binding-missing"
  | "binding-broken"
  | "glibc-old"
  | "disk-full"
  | "outputs-no-folder"
  | "outputs-read-only"
  | "disk-small"
  | "own-kernels"
  | "several-gpus"
  | "larger-gpu-idle"
  | "webgpu-adapter"
  | "webgpu-software"
  | "webgpu-absent"
  | "gpu-memory-fits"
  | "gpu-memory-busy"
  | "gpu-memory-small"
  | "model-found"
  | "model-absent"
  | "published-absent"
  | "part-missing"
  | "part-damaged"
  | "adapter-unfit"
  | "memory-fits"
  | "memory-busy"
  | "memory-small";

/** Whether a model fits a device. */
export interface Fit {
  readonly model: "used" | "demo" | "published";
  readonly estimate: MemoryEstimate;
  /** Bytes that can be taken now; absent when unknown. */
  readonly available?: number;
  /** The mode with which it fits; `null` when with none, absent when unknown. */
  readonly offload?: OffloadMode | null;
}

/** What the facts mean. */
export interface Diagnosis {
  /** Whether pictures can be made here, be it slowly or only small ones. */
  readonly canMakePictures: boolean;
  /** Which model makes them: the one asked for, or the one that comes with the toolkit. */
  readonly model?: "used" | "demo";
  /** What `device: "auto"` takes. */
  readonly provider: Device;
  /** Why not CUDA; empty when it is CUDA. */
  readonly reasons: readonly Obstacle[];
  readonly fits: readonly Fit[];
  readonly findings: readonly Finding[];
}
