import { groupFolders, type Groups, readGroups } from "./_control_groups.ts";
import type { Host } from "./host.ts";
import { findLibraries } from "./libraries.ts";
import { type MachineMemory, readMemory } from "./memory.ts";

/** The machine without its GPUs. Sizes are in bytes. */
export interface Machine {
  readonly os: string;
  readonly arch: string;
  /** What the system calls itself, such as `Debian GNU/Linux 12 (bookworm)`. */
  readonly name: string;
  /** The identifier of /etc/os-release and those it is like, such as `ubuntu`, `debian`. */
  readonly distributions: readonly string[];
  /** `VERSION_ID` of /etc/os-release, such as `24.04`. */
  readonly distributionVersion?: string;
  readonly kernel: string;
  /** Which kind of container this runs in, if any. */
  readonly container?: "docker" | "podman" | "kubernetes" | "other";
  /** Windows Subsystem for Linux. */
  readonly wsl: boolean;
  readonly cpu: string;
  readonly cores: number;
  /** Cores that this process may use, after affinity and the control group's quota. */
  readonly usableCores: number;
  readonly memoryTotal: number;
  /** What can be taken now, after the control group's limit. */
  readonly memoryAvailable: number;
  /** The control group's limit, where it is below the total. */
  readonly memoryLimit?: number;
  readonly swapFree: number;
  /** Absent where the C library is another. */
  readonly glibc?: string;
  readonly deno: string;
}

/** Of a machine that tells nothing of it. */
const NO_MEMORY: MachineMemory = { total: 0, available: 0, swapFree: 0 };

/**
 * Describes a machine; on Linux from /proc, /sys and /etc, elsewhere from what the system says.
 *
 * Control groups of both versions count: memory.max and cpu.max, or memory.limit_in_bytes and
 * cpu.cfs_quota_us, at the process's group and all above it (Linux, admin-guide/cgroup-v1 and -v2).
 */
export async function readMachine(host: Host): Promise<Machine> {
  const system = host.system();
  const release = parseAssignments(await host.readText("/etc/os-release") ?? "");
  const memory = await readMemory(host) ?? NO_MEMORY;
  const allowed = countCpus(
    /^Cpus_allowed_list:\s*(\S+)/m.exec(await host.readText("/proc/self/status") ?? "")?.[1],
  );
  const quota = await readCpuQuota(host, await readGroups(host));
  const cpuInfo = await host.readText("/proc/cpuinfo") ?? "";
  const cores = cpuInfo.match(/^processor\s*:/gm)?.length ?? system.cores;
  const { container, wsl, release: kernel } = await readSurroundings(host);
  const glibc = await readGlibc(host);
  return {
    os: system.os,
    arch: system.arch,
    name: release.PRETTY_NAME ?? system.os,
    distributions: `${release.ID ?? ""} ${release.ID_LIKE ?? ""}`.split(" ").filter(Boolean),
    ...(release.VERSION_ID === undefined ? {} : { distributionVersion: release.VERSION_ID }),
    kernel,
    ...(container === undefined ? {} : { container }),
    wsl,
    cpu: /^model name\s*:\s*(.+)$/m.exec(cpuInfo)?.[1]?.trim() || system.cpu || system.arch,
    cores,
    usableCores: Math.max(1, Math.min(allowed ?? system.usableCores, quota ?? cores, cores)),
    memoryTotal: memory.total,
    memoryAvailable: memory.available,
    ...(memory.limit === undefined ? {} : { memoryLimit: memory.limit }),
    swapFree: memory.swapFree,
    ...(glibc === undefined ? {} : { glibc }),
    deno: system.deno,
  };
}

/** What a system runs in. */
export interface Surroundings extends Pick<Machine, "os" | "arch" | "container" | "wsl"> {
  /** The kernel's version; empty when unknown. */
  readonly release: string;
}

/** Which system this is, in which container, and whether Windows is around it. */
export async function readSurroundings(host: Host): Promise<Surroundings> {
  const { os, arch, release: told } = host.system();
  const release = told || (await host.readText("/proc/sys/kernel/osrelease") ?? "").trim();
  const container = await containerKind(host);
  return {
    os,
    arch,
    release,
    ...(container === undefined ? {} : { container }),
    wsl: /microsoft/i.test(release),
  };
}

/** Shell assignments, quoted or not. */
function parseAssignments(text: string): Partial<Record<string, string>> {
  return Object.fromEntries(
    [...text.matchAll(/^([A-Z_]+)=(?:"(.*)"|'(.*)'|(.*))$/gm)]
      .map(([, key, double, single, bare]) => [key!, double ?? single ?? bare ?? ""]),
  );
}

async function readCpuQuota(
  host: Host,
  groups: Groups,
): Promise<number | undefined> {
  let cores: number | undefined;
  const consider = (quota: number, period: number) => {
    if (!(quota > 0 && period > 0)) return;
    cores = Math.min(cores ?? Infinity, Math.ceil(quota / period));
  };
  for (const folder of groupFolders("/sys/fs/cgroup", groups.get(""))) {
    const [quota, period] = (await host.readText(`${folder}/cpu.max`) ?? "").split(" ");
    consider(Number(quota), Number(period));
  }
  for (const folder of groupFolders("/sys/fs/cgroup/cpu", groups.get("cpu"))) {
    const [quota, period] = await Promise.all([
      host.readText(`${folder}/cpu.cfs_quota_us`),
      host.readText(`${folder}/cpu.cfs_period_us`),
    ]);
    consider(Number(quota ?? -1), Number(period ?? 0));
  }
  return cores;
}

/** How many there are in a list such as `0-3,8`. */
function countCpus(list: string | undefined): number | undefined {
  if (list === undefined) return undefined;
  let count = 0;
  for (const range of list.split(",")) {
    const [first, last = first] = range.split("-").map(Number);
    count += last! - first! + 1;
  }
  return count > 0 ? count : undefined;
}

async function containerKind(host: Host): Promise<Machine["container"]> {
  if (await host.exists("/var/run/secrets/kubernetes.io")) return "kubernetes";
  if (await host.exists("/run/.containerenv")) return "podman";
  if (await host.exists("/.dockerenv")) return "docker";
  const groups = await host.readText("/proc/1/cgroup") ?? "";
  return /docker|kubepods|containerd|lxc|libpod/.test(groups) ? "other" : undefined;
}

/** The C library carries its own name and version as text. */
async function readGlibc(host: Host): Promise<string | undefined> {
  const { found: [libc] } = await findLibraries(host, ["libc.so.6"]);
  if (libc?.path === undefined) return undefined;
  const bytes = await host.readAt(libc.path, 0, LARGEST_LIBC_BYTES);
  const text = new TextDecoder("latin1").decode(bytes);
  return /GNU C Library .{0,80}?version (\d+\.\d+)/.exec(text)?.[1];
}

const LARGEST_LIBC_BYTES = 8 * 1024 * 1024;
