/**
 * How much memory a process may have.
 *
 * @module
 */
import { groupFolders, type Groups, readGroups } from "./_control_groups.ts";
import type { Host } from "./host.ts";

/** The machine's memory in bytes, as far as it is this process's to take. */
export interface MachineMemory {
  readonly total: number;
  /** What can be taken now, after the control group's limit. */
  readonly available: number;
  /** The control group's limit, where it is below the total. */
  readonly limit?: number;
  readonly swapFree: number;
}

const KIB = 1024;

/**
 * Reads what memory there is: on Linux from /proc/meminfo and the control groups, elsewhere, and where
 * those may not be read, from what the system says.
 *
 * Control groups of both versions count: memory.max or memory.limit_in_bytes, at the process's group
 * and all above it, less what can be dropped of their caches (Linux, admin-guide/cgroup-v1 and -v2).
 *
 * @returns `undefined` where nothing may be asked.
 */
export async function readMemory(host: Host): Promise<MachineMemory | undefined> {
  const info = parseMemoryInfo(await host.readText("/proc/meminfo") ?? "");
  const { memory: system } = host.system();
  const total = info.MemTotal ?? system?.total;
  const free = info.MemAvailable ?? system?.available;
  if (total === undefined || free === undefined) return undefined;
  const group = await readMemoryGroup(host, await readGroups(host)) ??
    (system?.limit === undefined ? undefined : { limit: system.limit, used: 0 });
  const swapFree = info.SwapFree ?? system?.swapFree ?? 0;
  if (group === undefined || group.limit >= total) return { total, available: free, swapFree };
  const { limit, used } = group;
  return { total, available: Math.min(free, limit - used), limit, swapFree };
}

function parseMemoryInfo(text: string): Partial<Record<string, number>> {
  return Object.fromEntries(
    [...text.matchAll(/^(\w+):\s+(\d+) kB$/gm)].map(([, key, kib]) => [key!, Number(kib) * KIB]),
  );
}

async function readMemoryGroup(
  host: Host,
  groups: Groups,
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
