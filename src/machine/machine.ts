import { posix } from "node:path";
import type { Host } from "./host.ts";
import { findLibraries } from "./libraries.ts";

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

const KIB = 1024;

/**
 * Describes a machine; on Linux from /proc, /sys and /etc, elsewhere from what the system says.
 *
 * Control groups of both versions count: memory.max and cpu.max, or memory.limit_in_bytes and
 * cpu.cfs_quota_us, at the process's group and all above it (Linux, admin-guide/cgroup-v1 and -v2).
 */
export async function readMachine(host: Host): Promise<Machine> {
  const system = host.system();
  const release = parseAssignments(await host.readText("/etc/os-release") ?? "");
  const memory = parseMemoryInfo(await host.readText("/proc/meminfo") ?? "");
  const groups = parseGroups(await host.readText("/proc/self/cgroup") ?? "");
  const total = memory.MemTotal ?? system.memoryTotal;
  const available = memory.MemAvailable ?? system.memoryAvailable;
  const group = await readMemoryGroup(host, groups);
  const limited = group !== undefined && group.limit < total;
  const allowed = countCpus(
    /^Cpus_allowed_list:\s*(\S+)/m.exec(await host.readText("/proc/self/status") ?? "")?.[1],
  );
  const quota = await readCpuQuota(host, groups);
  const cpuInfo = await host.readText("/proc/cpuinfo") ?? "";
  const cores = cpuInfo.match(/^processor\s*:/gm)?.length ?? system.cores;
  const container = await containerKind(host);
  const glibc = await readGlibc(host);
  return {
    os: system.os,
    arch: system.arch,
    name: release.PRETTY_NAME ?? system.os,
    distributions: `${release.ID ?? ""} ${release.ID_LIKE ?? ""}`.split(" ").filter(Boolean),
    ...(release.VERSION_ID === undefined ? {} : { distributionVersion: release.VERSION_ID }),
    kernel: system.release,
    ...(container === undefined ? {} : { container }),
    wsl: /microsoft/i.test(system.release),
    cpu: /^model name\s*:\s*(.+)$/m.exec(cpuInfo)?.[1]?.trim() || system.cpu || system.arch,
    cores,
    usableCores: Math.max(1, Math.min(allowed ?? system.usableCores, quota ?? cores, cores)),
    memoryTotal: total,
    memoryAvailable: limited ? Math.min(available, group.limit - group.used) : available,
    ...(limited ? { memoryLimit: group.limit } : {}),
    swapFree: memory.SwapFree ?? system.swapFree,
    ...(glibc === undefined ? {} : { glibc }),
    deno: system.deno,
  };
}

/** Shell assignments, quoted or not. */
function parseAssignments(text: string): Partial<Record<string, string>> {
  return Object.fromEntries(
    [...text.matchAll(/^([A-Z_]+)=(?:"(.*)"|'(.*)'|(.*))$/gm)]
      .map(([, key, double, single, bare]) => [key!, double ?? single ?? bare ?? ""]),
  );
}

function parseMemoryInfo(text: string): Partial<Record<string, number>> {
  return Object.fromEntries(
    [...text.matchAll(/^(\w+):\s+(\d+) kB$/gm)].map(([, key, kib]) => [key!, Number(kib) * KIB]),
  );
}

/** The process's place in each hierarchy of control groups; "" is version 2. */
function parseGroups(text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(/^\d+:([^:]*):(.*)$/gm)]
      .flatMap(([, controllers, path]) => controllers!.split(",").map((name) => [name, path!])),
  );
}

/**
 * Folders of the process's own group and all above it. In a container the path may be the host's,
 * which does not exist there; the hierarchy's root is then the container's own group.
 */
function groupFolders(root: string, path: string | undefined): string[] {
  const folders = [root];
  for (let at = path ?? "/"; at !== "/" && at !== "."; at = posix.dirname(at)) {
    folders.push(posix.join(root, at));
  }
  return folders;
}

async function readMemoryGroup(
  host: Host,
  groups: ReadonlyMap<string, string>,
): Promise<{ limit: number; used: number } | undefined> {
  const places = [
    ...groupFolders("/sys/fs/cgroup", groups.get("")).map((folder) => ({
      folder,
      limit: "memory.max",
      used: "memory.current",
      reclaimable: "inactive_file",
    })),
    ...groupFolders("/sys/fs/cgroup/memory", groups.get("memory")).map((folder) => ({
      folder,
      limit: "memory.limit_in_bytes",
      used: "memory.usage_in_bytes",
      reclaimable: "total_inactive_file",
    })),
  ];
  let tightest: { limit: number; used: number } | undefined;
  for (const place of places) {
    const limit = Number.parseInt(await host.readText(`${place.folder}/${place.limit}`) ?? "");
    if (!Number.isFinite(limit) || limit >= (tightest?.limit ?? Infinity)) continue;
    const usage = Number.parseInt(await host.readText(`${place.folder}/${place.used}`) ?? "0");
    const statistics = await host.readText(`${place.folder}/memory.stat`) ?? "";
    const cache = new RegExp(`^${place.reclaimable} (\\d+)$`, "m").exec(statistics)?.[1];
    tightest = { limit, used: Math.max(0, usage - Number(cache ?? 0)) };
  }
  return tightest;
}

async function readCpuQuota(
  host: Host,
  groups: ReadonlyMap<string, string>,
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
