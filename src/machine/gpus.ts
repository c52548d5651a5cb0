import { COMMAND_SECONDS, type Host } from "./host.ts";
import { findLibraries } from "./libraries.ts";

/** An NVIDIA GPU. Sizes are in bytes; what could not be read is absent. */
export interface Gpu {
  /** nvidia-smi's number for it. */
  readonly index: number;
  readonly name: string;
  readonly memoryTotal?: number;
  readonly memoryFree?: number;
  /** Such as 8.9. */
  readonly computeCapability?: number;
  /** Such as `GPU-5a1c…`: by this, too, CUDA_VISIBLE_DEVICES may name it. */
  readonly uuid?: string;
}

/** What is known of a machine's NVIDIA GPUs. */
export interface GpuFacts {
  readonly gpus: readonly Gpu[];
  /**
   * Those that CUDA shows to this program, in CUDA's order: the first is the one that is used. `null`
   * stands for one that is named and not known.
   */
  readonly visible: readonly (Gpu | null)[];
  /** CUDA_VISIBLE_DEVICES, where it is set. */
  readonly visibleDevices?: string;
  /** How nvidia-smi answered; `"silent"` is not at all, within the time that it had. */
  readonly nvidiaSmi: "answered" | "failed" | "silent" | "absent";
  /** How long it was waited for, when it was silent. */
  readonly waitedSeconds?: number;
  /** Its complaint, when it failed. */
  readonly complaint?: string;
  /** The driver's version, such as `580.95.05`. */
  readonly driver?: string;
  /** The newest CUDA that the driver supports, such as `13.0`. */
  readonly cuda?: string;
  /** NVIDIA display devices on the PCI bus, with or without a driver. */
  readonly pciDevices: number;
  /**
   * Whether the driver's library for programs is there. A container to which no GPU was given has
   * none, though it sees the kernel's side of the driver.
   */
  readonly driverLibrary: boolean;
}

/**
 * Where the driver's installers put nvidia-smi: the system's packages, WSL, NixOS, Kubernetes'
 * device plugin, Flatcar, Windows. It is found by its name only where Deno's permissions allow to
 * run that name.
 */
export const NVIDIA_SMI = [
  "/usr/bin/nvidia-smi",
  "/usr/lib/wsl/lib/nvidia-smi",
  "/run/current-system/sw/bin/nvidia-smi",
  "/usr/local/nvidia/bin/nvidia-smi",
  "/opt/bin/nvidia-smi",
  "C:/Windows/System32/nvidia-smi.exe",
] as const;
const COMMANDS = ["nvidia-smi", ...NVIDIA_SMI];
/** Where the driver's own library lies on WSL, whether or not the loader looks there. */
const WSL_DRIVER_LIBRARY = "/usr/lib/wsl/lib/libcuda.so.1";
const DRIVER_LIBRARY = "libcuda.so.1";
const NVIDIA_VENDOR = "10de";
/**
 * Drivers of graphics cards, or none: sound chips, bridges and switches of the same maker have
 * others.
 */
const DISPLAY_DRIVERS = ["", "nvidia", "nvidiafb", "nouveau", "nova_core", "vfio-pci"];
const MIB = 1024 * 1024;
const FIELDS = [
  "index",
  "name",
  "memory.total",
  "memory.free",
  "driver_version",
  "compute_cap",
  "uuid",
] as const;
/** Old drivers do not know this field. */
const NEWER_FIELD = "compute_cap";

/** Asks nvidia-smi, and where it does not answer the kernel's driver and the PCI bus. */
export async function readGpus(host: Host): Promise<GpuFacts> {
  const [cards, kernelModule, { found: [library] }, answer] = await Promise.all([
    pciCards(host),
    host.readText("/proc/driver/nvidia/version"),
    findLibraries(host, [DRIVER_LIBRARY]),
    askNvidiaSmi(host),
  ]);
  const driverLibrary = library?.state === "found" || await host.exists(WSL_DRIVER_LIBRARY);
  const moduleVersion = /Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)/.exec(kernelModule ?? "")
    ?.[1];
  const visibleDevices = host.env("CUDA_VISIBLE_DEVICES");
  const seen = (gpus: readonly Gpu[]) => ({
    gpus,
    visible: visibleTo(gpus, visibleDevices, host.env("CUDA_DEVICE_ORDER")),
    ...(visibleDevices === undefined ? {} : { visibleDevices }),
    pciDevices: cards.length,
    driverLibrary,
  });
  if (answer !== undefined && typeof answer === "object" && "gpus" in answer) {
    const { gpus, driver, cuda } = answer;
    return {
      ...seen(gpus),
      nvidiaSmi: "answered",
      ...(driver === undefined ? {} : { driver }),
      ...(cuda === undefined ? {} : { cuda }),
    };
  }
  // Where the driver hangs, its files in /proc may hang as well.
  const ofModule = answer !== "silent" && moduleVersion !== undefined && driverLibrary
    ? await gpusOfKernelModule(host, cards)
    : [];
  return {
    ...seen(ofModule),
    ...(answer === undefined
      ? { nvidiaSmi: "absent" }
      : answer === "silent"
      ? { nvidiaSmi: "silent", waitedSeconds: COMMAND_SECONDS }
      : { nvidiaSmi: "failed", complaint: answer.complaint }),
    ...(moduleVersion === undefined ? {} : { driver: moduleVersion }),
  };
}

/**
 * What CUDA makes of the two variables (CUDA C++ Programming Guide, CUDA Environment Variables):
 * numbers or identifiers, up to the first that names nothing. Without CUDA_DEVICE_ORDER=PCI_BUS_ID,
 * CUDA's own numbers begin with the fastest GPU; by which measure it does not say, so that the newer
 * and then the larger stands for it here.
 */
function visibleTo(
  gpus: readonly Gpu[],
  devices: string | undefined,
  order: string | undefined,
): (Gpu | null)[] {
  const ordered = order === "PCI_BUS_ID"
    ? gpus
    : gpus.toSorted((a, b) =>
      (b.computeCapability ?? 0) - (a.computeCapability ?? 0) ||
      (b.memoryTotal ?? 0) - (a.memoryTotal ?? 0)
    );
  if (devices === undefined) return [...ordered];
  const visible: (Gpu | null)[] = [];
  for (const word of devices.split(",").map((word) => word.trim())) {
    if (/^(GPU|MIG)-/.test(word)) {
      visible.push(gpus.find(({ uuid }) => uuid?.startsWith(word)) ?? null);
      continue;
    }
    const gpu = /^\d+$/.test(word) ? ordered[Number(word)] : undefined;
    if (gpu === undefined) break;
    visible.push(gpu);
  }
  return visible;
}

interface Answer {
  readonly gpus: readonly Gpu[];
  readonly driver: string | undefined;
  readonly cuda: string | undefined;
}

async function askNvidiaSmi(
  host: Host,
): Promise<Answer | { readonly complaint: string } | "silent" | undefined> {
  for (const command of COMMANDS) {
    const query = (fields: readonly string[]) =>
      host.run(command, [`--query-gpu=${fields.join(",")}`, "--format=csv,noheader,nounits"]);
    let fields: readonly string[] = FIELDS;
    let result = await query(fields);
    if (result === undefined) continue;
    if (result !== "silent" && /not a valid field/i.test(result.stdout + result.stderr)) {
      fields = FIELDS.filter((field) => field !== NEWER_FIELD);
      result = await query(fields) ?? result;
    }
    if (result === "silent") return result;
    const rows = result.stdout.split("\n")
      .map((line) => line.split(",").map((cell) => cell.trim()))
      .filter(([index, name]) => /^\d+$/.test(index ?? "") && name !== undefined)
      .map((cells) => (field: typeof FIELDS[number]) => cells[fields.indexOf(field)]);
    const [first] = rows;
    if (result.code !== 0 || first === undefined) {
      return { complaint: (result.stdout + result.stderr).trim().split("\n")[0] ?? "" };
    }
    const summary = await host.run(command, []);
    const text = summary === undefined || summary === "silent" ? "" : summary.stdout;
    return {
      gpus: rows.map(gpuOfRow),
      driver: first("driver_version"),
      cuda: /CUDA(?: \w+)? Version\s*:\s*(\d+\.\d+)/.exec(text)?.[1],
    };
  }
  return undefined;
}

function gpuOfRow(cell: (field: typeof FIELDS[number]) => string | undefined): Gpu {
  const known = <K extends string>(key: K, field: typeof FIELDS[number], unit: number) => {
    const value = Number(cell(field) || NaN);
    return Number.isFinite(value) ? { [key]: value * unit } as Record<K, number> : {};
  };
  const uuid = cell("uuid");
  return {
    index: Number(cell("index")),
    name: cell("name")!,
    ...known("memoryTotal", "memory.total", MIB),
    ...known("memoryFree", "memory.free", MIB),
    ...known("computeCapability", "compute_cap", 1),
    ...(uuid?.startsWith("GPU-") ? { uuid } : {}),
  };
}

async function gpusOfKernelModule(host: Host, cards: readonly string[]): Promise<Gpu[]> {
  const gpus: Gpu[] = [];
  for (const address of cards) {
    const path = `/proc/driver/nvidia/gpus/${address}/information`;
    const information = await host.readText(path);
    if (information === undefined) continue;
    const name = /^Model:\s*(.+)$/m.exec(information)?.[1]?.trim() ?? "NVIDIA";
    gpus.push({ index: gpus.length, name });
  }
  return gpus;
}

/**
 * The addresses of NVIDIA's cards, such as `0000:01:00.0`. A line of the kernel's list holds bus and
 * function (four hexadecimal digits: eight bits, five and three), maker and device, addresses, and
 * last the driver (Linux, drivers/pci/proc.c). What a card brings besides, such as its sound chip,
 * is a later function of the same device.
 */
async function pciCards(host: Host): Promise<string[]> {
  const list = await host.readText("/proc/bus/pci/devices") ?? "";
  return list.split("\n").flatMap((line) => {
    const cells = line.split("\t").map((cell) => cell.trim());
    const [place = "", device = ""] = cells;
    const driver = cells.slice(2).find((cell) => !/^[0-9a-f]+$/.test(cell) && cell !== "") ?? "";
    const slot = Number.parseInt(place.slice(2), 16);
    if (!device.startsWith(NVIDIA_VENDOR) || !/^[0-9a-f]{4}$/.test(place) || slot % 8 !== 0) {
      return [];
    }
    if (!DISPLAY_DRIVERS.includes(driver)) return [];
    return [`0000:${place.slice(0, 2)}:${(slot >> 3).toString(16).padStart(2, "0")}.0`];
  });
}
