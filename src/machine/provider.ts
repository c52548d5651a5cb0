import type { Device } from "../onnx/mod.ts";
import type { BindingFacts } from "./binding.ts";
import type { GpuFacts } from "./gpus.ts";
import type { Machine } from "./machine.ts";
import { type AdapterFacts, isCard } from "./webgpu_adapter.ts";

/** What the choice rests on. */
export interface ProviderFacts {
  readonly machine: Pick<Machine, "os" | "arch" | "container" | "wsl">;
  readonly gpu: GpuFacts;
  readonly cuda: BindingFacts["cuda"];
  /**
   * Which of the GPUs that CUDA shows is to be used.
   *
   * @default {0}
   */
  readonly deviceId?: number;
  /** What WebGPU would compute on; absent where there is nothing. */
  readonly adapter?: AdapterFacts | undefined;
}

/** Something that stands between a machine and CUDA. */
export type Obstacle =
  | { readonly code: "platform"; readonly os: string; readonly arch: string }
  /** There is none, as far as anybody can see. */
  | { readonly code: "no-gpu" }
  /** CUDA_VISIBLE_DEVICES keeps all of them from this program. */
  | { readonly code: "gpus-hidden"; readonly devices: string }
  /** There is one, but this container was not given it. */
  | { readonly code: "gpu-not-passed" }
  /** There is one on the bus, and no driver. */
  | { readonly code: "driver-missing" }
  /** The driver is there and does not work. */
  | { readonly code: "driver-broken"; readonly complaint: string }
  /** nvidia-smi never returned: whatever else asks the driver would hang as well. */
  | { readonly code: "driver-silent"; readonly seconds: number }
  | { readonly code: "driver-old"; readonly driver: string; readonly minimum: number }
  | {
    readonly code: "gpu-old";
    readonly gpu: string;
    readonly capability: number;
    readonly minimum: number;
  }
  | { readonly code: "provider-missing" }
  | { readonly code: "libraries-missing"; readonly names: readonly string[] }
  | { readonly code: "libraries-elsewhere"; readonly paths: readonly string[] };

/** These are no faults, and no command can change them. */
export const NOTHING_TO_MEND: readonly Obstacle["code"][] = ["platform", "no-gpu", "gpu-old"];

/** Which execution provider `device: "auto"` takes. */
export interface ProviderChoice {
  readonly provider: Device;
  /** What stands between this machine and CUDA, the most fundamental first; empty for `"cuda"`. */
  readonly reasons: readonly Obstacle[];
}

/** The first driver branch for CUDA 13 (CUDA Toolkit release notes, minimum driver versions). */
export const CUDA_13_DRIVER = 580;
/** The first GPUs with bfloat16 matrix products, in which graphs for CUDA compute: Ampere. */
export const BFLOAT16_CAPABILITY = 8;

/**
 * Predicts which execution provider `device: "auto"` takes: CUDA where nothing stands in the way of
 * it, else WebGPU where there is a card, else the CPU, with everything that stands in CUDA's way.
 *
 * @example
 * ```ts
 * const { provider, reasons } = chooseProvider({
 *   machine: { os: "linux", arch: "x86_64", wsl: false },
 *   gpu: { gpus: [], visible: [], nvidiaSmi: "absent", pciDevices: 0, driverLibrary: false },
 *   cuda: { provider: false, libraries: { found: [], loaderFolders: [], otherFolders: [] } },
 * });
 * console.log(provider, reasons[0]?.code); // cpu no-gpu
 * ```
 */
export function chooseProvider(facts: ProviderFacts): ProviderChoice {
  const reasons = cudaObstacles(facts);
  const otherwise = isCard(facts.adapter) ? "webgpu" : "cpu";
  return { provider: reasons.length === 0 ? "cuda" : otherwise, reasons };
}

function cudaObstacles({ machine, gpu, cuda, deviceId = 0 }: ProviderFacts): Obstacle[] {
  const { os, arch } = machine;
  if (os !== "linux" || arch !== "x86_64") return [{ code: "platform", os, arch }];
  const absence = gpuAbsence(machine, gpu);
  // Where there is no GPU, what else is missing does not matter.
  if (absence?.code === "no-gpu") return [absence];
  const obstacles: Obstacle[] = absence === undefined ? [] : [absence];
  const driverWorks = absence === undefined;
  if (driverWorks && gpu.visible.length === 0) {
    obstacles.push({ code: "gpus-hidden", devices: gpu.visibleDevices ?? "" });
  }

  const major = Number.parseInt(gpu.driver ?? "");
  if (major < CUDA_13_DRIVER) {
    obstacles.push({ code: "driver-old", driver: gpu.driver!, minimum: CUDA_13_DRIVER });
  }
  const used = gpu.visible[deviceId];
  const capability = used?.computeCapability;
  if (capability !== undefined && capability < BFLOAT16_CAPABILITY) {
    const minimum = BFLOAT16_CAPABILITY;
    obstacles.push({ code: "gpu-old", gpu: used!.name, capability, minimum });
  }
  if (!cuda.provider) obstacles.push({ code: "provider-missing" });
  // libcuda.so.1 comes with the driver, so where the driver does not work nothing else is reported.
  const libraries = cuda.libraries.found.filter(({ name }) =>
    driverWorks || !name.startsWith("libcuda.so")
  );
  const missing = libraries.filter(({ state }) => state === "missing").map(({ name }) => name);
  if (missing.length > 0) obstacles.push({ code: "libraries-missing", names: missing });
  const paths = libraries.flatMap(({ state, path }) => state === "elsewhere" ? [path!] : []);
  if (paths.length > 0) obstacles.push({ code: "libraries-elsewhere", paths });
  return obstacles;
}

function gpuAbsence(machine: ProviderFacts["machine"], gpu: GpuFacts): Obstacle | undefined {
  const complaint = gpu.complaint ?? "";
  if (gpu.nvidiaSmi === "silent") {
    return { code: "driver-silent", seconds: gpu.waitedSeconds ?? 0 };
  }
  if (gpu.gpus.length > 0 && gpu.nvidiaSmi !== "failed") return undefined;
  const traces = gpu.pciDevices > 0 || gpu.driver !== undefined;
  const answers = gpu.nvidiaSmi !== "absent" || gpu.driverLibrary;
  if (machine.container !== undefined && !answers) {
    return { code: traces ? "gpu-not-passed" : "no-gpu" };
  }
  const empty = /no devices were found/i.test(complaint) && gpu.pciDevices === 0;
  if (gpu.nvidiaSmi === "failed" && !empty) return { code: "driver-broken", complaint };
  if (machine.wsl || empty || !traces) return { code: "no-gpu" };
  return gpu.driver === undefined ? { code: "driver-missing" } : {
    code: "driver-broken",
    complaint,
  };
}
