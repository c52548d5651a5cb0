import type { Host } from "./host.ts";

/** An NVIDIA GPU. Sizes are in bytes; what could not be read is absent. */
export interface Gpu {
  /** nvidia-smi's number for it. */
  readonly index: number;
  readonly name: string;
  readonly memoryTotal?: number;
  readonly memoryFree?: number;
  /** Such as 8.9. */
  readonly computeCapability?: number;
}

/** What is known of a machine's NVIDIA GPUs. */
export interface GpuFacts {
  readonly gpus: readonly Gpu[];
  /** How nvidia-smi answered. */
  readonly nvidiaSmi: "answered" | "failed" | "absent";
  /** Its complaint, when it failed. */
  readonly complaint?: string;
  /** The driver's version, such as `580.95.05`. */
  readonly driver?: string;
  /** The newest CUDA that the driver supports, such as `13.0`. */
  readonly cuda?: string;
  /** NVIDIA display devices on the PCI bus, with or without a driver. */
  readonly pciDevices: number;
  /** Whether the driver's device files are there: a container without them sees no GPU. */
  readonly deviceFiles: boolean;
}

/** On WSL the command is not always on the PATH. */
const COMMANDS = ["nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi"];
const NVIDIA_VENDOR = /^PCI_ID=10DE:/m;
/** Class 03: VGA, 3D and other display controllers; a graphics card's sound chip is class 04. */
const DISPLAY_CLASS = /^PCI_CLASS=3[0-9A-F]{4}$/m;
const MIB = 1024 * 1024;
/** Old drivers do not know every field; the last is the first to go. */
const FIELDS = ["index", "name", "memory.total", "memory.free", "driver_version", "compute_cap"];

/** Asks nvidia-smi, and where it does not answer /proc/driver/nvidia and the PCI bus. */
export async function readGpus(host: Host): Promise<GpuFacts> {
  const pciDevices = await countPciDevices(host);
  const deviceFiles = await hasDeviceFiles(host);
  const kernelModule = await host.readText("/proc/driver/nvidia/version");
  const moduleVersion = /Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)/.exec(kernelModule ?? "")
    ?.[1];
  const answer = await askNvidiaSmi(host);
  if (answer?.gpus !== undefined) {
    const { gpus, driver, cuda } = answer;
    return {
      gpus,
      nvidiaSmi: "answered",
      ...(driver === undefined ? {} : { driver }),
      ...(cuda === undefined ? {} : { cuda }),
      pciDevices,
      deviceFiles,
    };
  }
  return {
    gpus: deviceFiles ? await gpusOfKernelModule(host) : [],
    nvidiaSmi: answer === undefined ? "absent" : "failed",
    ...(answer?.complaint === undefined ? {} : { complaint: answer.complaint }),
    ...(moduleVersion === undefined ? {} : { driver: moduleVersion }),
    pciDevices,
    deviceFiles,
  };
}

/** The GPUs alone, without looking for what might keep others from being seen. */
export async function listGpus(host: Host): Promise<readonly Gpu[]> {
  const answer = await askNvidiaSmi(host);
  if (answer?.gpus !== undefined) return answer.gpus;
  return await hasDeviceFiles(host) ? await gpusOfKernelModule(host) : [];
}

async function hasDeviceFiles(host: Host): Promise<boolean> {
  return await host.exists("/dev/nvidiactl") || await host.exists("/dev/dxg");
}

interface Answer {
  readonly gpus?: readonly Gpu[];
  readonly driver?: string | undefined;
  readonly cuda?: string | undefined;
  readonly complaint?: string;
}

async function askNvidiaSmi(host: Host): Promise<Answer | undefined> {
  for (const command of COMMANDS) {
    const query = (fields: readonly string[]) =>
      host.run(command, [`--query-gpu=${fields.join(",")}`, "--format=csv,noheader,nounits"]);
    let result = await query(FIELDS);
    if (result === undefined) continue;
    if (/not a valid field/i.test(result.stdout + result.stderr)) {
      result = await query(FIELDS.slice(0, -1)) ?? result;
    }
    const rows = result.stdout.split("\n").map((line) => line.split(",").map((cell) => cell.trim()))
      .filter(([index, name]) => /^\d+$/.test(index ?? "") && name !== undefined);
    if (result.code !== 0 || rows.length === 0) {
      const complaint = (result.stdout + result.stderr).trim().split("\n")[0] ?? "";
      return { complaint };
    }
    const summary = (await host.run(command, []))?.stdout ?? "";
    return {
      gpus: rows.map(gpuOfRow),
      driver: rows[0]![4],
      cuda: /CUDA(?: \w+)? Version\s*:\s*(\d+\.\d+)/.exec(summary)?.[1],
    };
  }
  return undefined;
}

function gpuOfRow([index, name, total, free, , capability]: readonly string[]): Gpu {
  const known = <K extends string>(key: K, cell: string | undefined, unit: number) => {
    const value = Number(cell || NaN);
    return Number.isFinite(value) ? { [key]: value * unit } as Record<K, number> : {};
  };
  return {
    index: Number(index),
    name: name!,
    ...known("memoryTotal", total, MIB),
    ...known("memoryFree", free, MIB),
    ...known("computeCapability", capability, 1),
  };
}

async function gpusOfKernelModule(host: Host): Promise<Gpu[]> {
  const folder = "/proc/driver/nvidia/gpus";
  const gpus: Gpu[] = [];
  for (const [index, name] of (await host.list(folder)).entries()) {
    const information = await host.readText(`${folder}/${name}/information`) ?? "";
    gpus.push({ index, name: /^Model:\s*(.+)$/m.exec(information)?.[1]?.trim() ?? "NVIDIA" });
  }
  return gpus;
}

async function countPciDevices(host: Host): Promise<number> {
  const folder = "/sys/bus/pci/devices";
  const devices = await host.list(folder);
  const descriptions = await Promise.all(
    devices.map((device) => host.readText(`${folder}/${device}/uevent`)),
  );
  return descriptions.filter((text = "") => DISPLAY_CLASS.test(text) && NVIDIA_VENDOR.test(text))
    .length;
}
