/** Machines that are not here, as trees of files and answers of nvidia-smi. */
import type { CommandResult, Host } from "../../src/machine/host.ts";
import type { AdapterFacts } from "../../src/machine/webgpu_adapter.ts";

export interface FakeMachine {
  /** Text or bytes by path; the folders are those that the paths imply. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly env?: Readonly<Record<string, string>>;
  /** By command line, such as `nvidia-smi`; a command without any entry does not exist. */
  readonly commands?: (
    command: string,
    args: readonly string[],
  ) => CommandResult | "silent" | undefined;
  /** @default {true} */
  readonly seesEverything?: boolean;
  readonly release?: string;
  readonly os?: string;
  readonly arch?: string;
  readonly freeDisk?: number;
  readonly adapter?: AdapterFacts;
}

export function fakeHost(machine: FakeMachine = {}): Host {
  const { files = {}, env = {}, commands = () => undefined } = machine;
  const paths = Object.keys(files);
  const bytesOf = (path: string) => {
    const content = files[path];
    return typeof content === "string" ? new TextEncoder().encode(content) : content;
  };
  return {
    system: () => ({
      os: machine.os ?? "linux",
      arch: machine.arch ?? "x86_64",
      release: machine.release ?? "6.8.0",
      cpu: "a processor",
      cores: 8,
      usableCores: 6,
      memory: { total: 16 * 2 ** 30, available: 15 * 2 ** 30, swapFree: 2 ** 30 },
      deno: "2.9.6",
    }),
    env: (name) => env[name],
    seesEverything: () => machine.seesEverything ?? true,
    readText: (path) => {
      const bytes = bytesOf(path);
      return Promise.resolve(bytes && new TextDecoder().decode(bytes));
    },
    readAt: (path, offset, length) =>
      Promise.resolve(bytesOf(path)?.subarray(offset, offset + length)),
    list: (folder) => {
      const below = paths.filter((path) => path.startsWith(`${folder}/`));
      const names = below.map((path) => path.slice(folder.length + 1).split("/")[0]!);
      return Promise.resolve([...new Set(names)].sort());
    },
    exists: (path) =>
      Promise.resolve(paths.some((file) => file === path || file.startsWith(`${path}/`))),
    run: (command, args) => Promise.resolve(commands(command, args)),
    freeDisk: () => Promise.resolve(machine.freeDisk),
    adapter: () => Promise.resolve(machine.adapter),
    mayWrite: () => Promise.resolve(true),
    isNoFolder: () => Promise.resolve(false),
  };
}

/** One GPU in nvidia-smi's words: MiB, compute capability. */
export interface FakeGpu {
  readonly name: string;
  readonly total: number;
  readonly free: number;
  readonly capability: string;
}

/**
 * An nvidia-smi that works. The layout of both answers was read off a machine with an H100 and
 * driver 580.159.04.
 */
export function nvidiaSmi(driver: string, cuda: string, gpus: readonly FakeGpu[]) {
  return (command: string, args: readonly string[]): CommandResult | undefined => {
    if (command !== "nvidia-smi") return undefined;
    const fields = args[0]?.replace("--query-gpu=", "").split(",");
    const stdout = fields === undefined
      ? `| NVIDIA-SMI ${driver}             Driver Version: ${driver}     CUDA Version: ${cuda}     |\n`
      : gpus.map((gpu, index) => {
        const row: Record<string, string> = {
          "index": String(index),
          "name": gpu.name,
          "memory.total": String(gpu.total),
          "memory.free": String(gpu.free),
          "driver_version": driver,
          "compute_cap": gpu.capability,
          "uuid": `GPU-${index}0000000-0000-0000-0000-000000000000`,
        };
        return fields.map((field) => row[field]).join(", ");
      }).join("\n");
    return { code: 0, stdout, stderr: "" };
  };
}

export const GPU_8: FakeGpu = gpu("NVIDIA GeForce RTX 3070", 8192, 7900, "8.6");
export const GPU_12: FakeGpu = gpu("NVIDIA GeForce RTX 4070", 12282, 11900, "8.9");
export const GPU_24: FakeGpu = gpu("NVIDIA GeForce RTX 4090", 24564, 24000, "8.9");
export const H100: FakeGpu = gpu("NVIDIA H100 80GB HBM3", 81559, 81079, "9.0");

function gpu(name: string, total: number, free: number, capability: string): FakeGpu {
  return { name, total, free, capability };
}

/** An ordinary Ubuntu with 32 GiB. */
export const UBUNTU: Readonly<Record<string, string>> = {
  "/etc/os-release":
    'PRETTY_NAME="Ubuntu 24.04.3 LTS"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n',
  "/proc/meminfo":
    "MemTotal:       33554432 kB\nMemFree:        1000 kB\nMemAvailable:   31457280 kB\nSwapFree:       0 kB\n",
  "/proc/cpuinfo":
    "processor\t: 0\nmodel name\t: AMD Ryzen 7\nprocessor\t: 1\nmodel name\t: AMD Ryzen 7\n",
  "/proc/self/status": "Name:\tdeno\nCpus_allowed_list:\t0-1\n",
  "/etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n",
  "/etc/ld.so.conf.d/x86_64-linux-gnu.conf":
    "# Multiarch support\n/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n",
  "/usr/lib/x86_64-linux-gnu/libc.so.6":
    "\0GNU C Library (Ubuntu GLIBC 2.39-0ubuntu8.6) stable release version 2.39.\0",
};

/**
 * An NVIDIA card on the bus, with its sound chip, behind a bridge of Intel's. The layout was read off
 * a Linux 6.18, the identifiers are those of an RTX 4090 (pci.ids).
 */
export const PCI_CARD = pciCard("");

/** The same with a driver. */
export function pciCard(driver: string): Record<string, string> {
  const line = (place: string, device: string, driver: string) =>
    [place, device, "0", ...Array(14).fill("               0"), driver].join("\t");
  const lines = [
    line("0000", "80860d57", ""),
    line("0100", "10de2684", driver),
    line("0101", "10de22ba", "snd_hda_intel"),
  ];
  return { "/proc/bus/pci/devices": `${lines.join("\n")}\n` };
}

/** The kernel's side of a driver that works. */
export function driverFiles(version: string): Record<string, string> {
  return {
    "/proc/driver/nvidia/version":
      `NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  ${version}  Release Build\n`,
    "/usr/lib/x86_64-linux-gnu/libcuda.so.1": "",
  };
}

const CUDA_13 = [
  "libcudart.so.13",
  "libcublas.so.13",
  "libcublasLt.so.13",
  "libcurand.so.10",
  "libcudnn.so.9",
];

/** CUDA 13's libraries in a folder. */
export function cudaLibraries(folder: string, without: readonly string[] = []) {
  const names = CUDA_13.filter((name) => !without.includes(name));
  return Object.fromEntries(names.map((name) => [`${folder}/${name}`, ""]));
}
