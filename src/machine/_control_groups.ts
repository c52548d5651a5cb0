/** Linux's control groups, as a process sees its own. */
import { posix } from "node:path";
import type { Host } from "./host.ts";

/** The process's place in each hierarchy, by controller; "" is version 2. */
export type Groups = ReadonlyMap<string, string>;

/** Reads /proc/self/cgroup. */
export async function readGroups(host: Host): Promise<Groups> {
  return parseGroups(await host.readText("/proc/self/cgroup") ?? "");
}

function parseGroups(text: string): Groups {
  return new Map(
    [...text.matchAll(/^\d+:([^:]*):(.*)$/gm)]
      .flatMap(([, controllers, path]) => controllers!.split(",").map((name) => [name, path!])),
  );
}

/**
 * Folders of the process's own group and all above it. In a container the path may be the host's,
 * which does not exist there; the hierarchy's root is then the container's own group.
 */
export function groupFolders(root: string, path: string | undefined): string[] {
  const folders = [root];
  for (let at = path ?? "/"; at !== "/" && at !== "."; at = posix.dirname(at)) {
    folders.push(posix.join(root, at));
  }
  return folders;
}
