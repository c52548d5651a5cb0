import { availableParallelism } from "node:os";
import type { Host } from "./host.ts";

/**
 * How many threads may compute at once with gain: the cores that this process may use, after affinity
 * and the control group's quota. A core that runs two threads at once counts once, since both would
 * wait for the same arithmetic.
 *
 * @param parallelism What the system grants, two for such a core.
 */
export async function usableThreads(
  host: Host,
  parallelism: number = availableParallelism(),
): Promise<number> {
  const processors = (await host.readText("/proc/cpuinfo") ?? "").split(/\n\s*\n/);
  const status = await host.readText("/proc/self/status") ?? "";
  const allowed = parseList(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1]);
  const cores = new Set<string>();
  for (const processor of processors) {
    const field = (name: string) => new RegExp(`^${name}\\s*:\\s*(\\d+)`, "m").exec(processor)?.[1];
    const number = field("processor");
    if (number === undefined || allowed !== undefined && !allowed.has(Number(number))) continue;
    // Where nothing is said of cores (arm64), each processor is one.
    const core = field("core id");
    cores.add(core === undefined ? `processor ${number}` : `${field("physical id")} ${core}`);
  }
  return Math.max(1, Math.min(parallelism, cores.size || parallelism));
}

/** The numbers of a list such as `0-3,8`. */
function parseList(list: string | undefined): ReadonlySet<number> | undefined {
  if (list === undefined) return undefined;
  const numbers = new Set<number>();
  for (const range of list.split(",")) {
    const [first = NaN, last = first] = range.split("-").map(Number);
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return numbers;
}
