import { posix } from "node:path";
import type { Host } from "./host.ts";

/** A shared library, sought by name. */
export interface Library {
  readonly name: string;
  /**
   * - `found`: where the dynamic loader looks;
   * - `elsewhere`: on the machine, but not where the loader looks;
   * - `missing`: in neither.
   */
  readonly state: "found" | "elsewhere" | "missing";
  /** Absent when it is missing. */
  readonly path?: string;
}

/** The outcome of a search. */
export interface LibrarySearch {
  /** One for each name, in the order asked. */
  readonly found: readonly Library[];
  /** Existing folders that the dynamic loader looks into, in its order. */
  readonly loaderFolders: readonly string[];
  /** Existing folders where such libraries often lie, and where the loader does not look. */
  readonly otherFolders: readonly string[];
}

/** The loader's own folders, last in its order (man 8 ld.so), with Debian's and Red Hat's names. */
const SYSTEM_FOLDERS = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"];
const MULTIARCH: Readonly<Record<string, string>> = {
  x86_64: "x86_64-linux-gnu",
  aarch64: "aarch64-linux-gnu",
};
const LOADER_CACHE = "/etc/ld.so.cache";
const LARGEST_CACHE_BYTES = 16 * 1024 * 1024;
const MOST_NESTED_INCLUDES = 4;

/**
 * Looks for shared libraries where the dynamic loader does (LD_LIBRARY_PATH, ld.so.conf and what
 * it includes, ld.so.cache, the system's folders), then where CUDA's and pip's installers put them:
 * /usr/local/cuda*, /opt/cuda, and `nvidia/<part>/lib` of Python's packages.
 */
export async function findLibraries(host: Host, names: readonly string[]): Promise<LibrarySearch> {
  const loaderFolders = await loaderPath(host);
  const cache = await readCache(host);
  const otherFolders = (await usualFolders(host)).filter((path) => !loaderFolders.includes(path));
  const found: Library[] = [];
  for (const name of names) {
    const seen = await firstWith(host, loaderFolders, name) ?? await inCache(host, cache, name);
    const path = seen ?? await firstWith(host, otherFolders, name);
    if (path === undefined) found.push({ name, state: "missing" });
    else found.push({ name, state: seen === undefined ? "elsewhere" : "found", path });
  }
  return { found, loaderFolders, otherFolders };
}

async function loaderPath(host: Host): Promise<string[]> {
  const variable = (host.env("LD_LIBRARY_PATH") ?? "").split(/[:;]/).filter((path) => path !== "");
  const configured = await configuredFolders(host, "/etc/ld.so.conf");
  const multiarch = MULTIARCH[host.system().arch];
  const system = multiarch === undefined
    ? SYSTEM_FOLDERS
    : [`/lib/${multiarch}`, `/usr/lib/${multiarch}`, ...SYSTEM_FOLDERS];
  return await existing(host, [...variable, ...configured, ...system]);
}

async function configuredFolders(host: Host, file: string, depth = 0): Promise<string[]> {
  if (depth > MOST_NESTED_INCLUDES) return [];
  const folders: string[] = [];
  for (const raw of (await host.readText(file) ?? "").split("\n")) {
    const line = raw.replace(/#.*/, "").trim();
    const pattern = /^include\s+(\S+)$/.exec(line)?.[1];
    if (pattern === undefined) {
      if (line.startsWith("/")) folders.push(line.replace(/\/+$/, ""));
      continue;
    }
    for (const included of await expand(host, posix.resolve(posix.dirname(file), pattern))) {
      folders.push(...await configuredFolders(host, included, depth + 1));
    }
  }
  return folders;
}

/** Folders of CUDA's and pip's installers. */
async function usualFolders(host: Host): Promise<string[]> {
  const patterns = [
    "/usr/local/cuda*/lib64",
    "/usr/local/cuda*/targets/x86_64-linux/lib",
    "/opt/cuda/lib64",
    "/usr/lib/wsl/lib",
    "/usr/local/nvidia/lib64",
    ...[
      "/usr/lib/python3*/dist-packages",
      "/usr/lib/python3*/site-packages",
      "/usr/local/lib/python3*/dist-packages",
      "/usr/local/lib/python3*/site-packages",
      "/opt/*/lib/python3*/site-packages",
      "/opt/*/.venv/lib/python3*/site-packages",
      "/opt/*/venv/lib/python3*/site-packages",
      "/home/*/.local/lib/python3*/site-packages",
      "/root/.local/lib/python3*/site-packages",
      posix.resolve(".venv/lib/python3*/site-packages"),
      posix.resolve("venv/lib/python3*/site-packages"),
    ].map((packages) => `${packages}/nvidia/*/lib`),
  ];
  const folders: string[] = [];
  for (const pattern of patterns) folders.push(...await expand(host, pattern));
  return await existing(host, folders);
}

/** Paths that match a pattern in which `*` stands for any part of one name. */
async function expand(host: Host, pattern: string): Promise<string[]> {
  const star = pattern.indexOf("*");
  if (star < 0) return await host.exists(pattern) ? [pattern] : [];
  const folder = posix.dirname(pattern.slice(0, star + 1));
  const [segment = "", ...rest] = pattern.slice(folder === "/" ? 1 : folder.length + 1).split("/");
  const [before = "", after = ""] = segment.split("*");
  const paths: string[] = [];
  for (const name of await host.list(folder)) {
    const long = name.length >= before.length + after.length;
    if (!long || !name.startsWith(before) || !name.endsWith(after)) continue;
    paths.push(...await expand(host, posix.join(folder, name, ...rest)));
  }
  return paths;
}

async function existing(host: Host, folders: readonly string[]): Promise<string[]> {
  const present: string[] = [];
  for (const folder of new Set(folders)) if (await host.exists(folder)) present.push(folder);
  return present;
}

async function firstWith(
  host: Host,
  folders: readonly string[],
  name: string,
): Promise<string | undefined> {
  for (const folder of folders) {
    const path = posix.join(folder, name);
    if (await host.exists(path)) return path;
  }
  return undefined;
}

/** The cache is binary, but its paths are plain text, each ended by a zero byte. */
async function readCache(host: Host): Promise<string> {
  return new TextDecoder("latin1").decode(await host.readAt(LOADER_CACHE, 0, LARGEST_CACHE_BYTES));
}

async function inCache(host: Host, cache: string, name: string): Promise<string | undefined> {
  for (let at = cache.indexOf(`/${name}\0`); at >= 0; at = cache.indexOf(`/${name}\0`, at + 1)) {
    const path = cache.slice(cache.lastIndexOf("\0", at) + 1, at + 1 + name.length);
    if (path.startsWith("/") && await host.exists(path)) return path;
  }
  return undefined;
}
