/**
 * What a machine can be asked: files, commands, variables. Facts about machines are read through
 * this, so that they can also be read of machines that are not here.
 *
 * @module
 */
import { availableParallelism, cpus, release } from "node:os";
import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** A command that was run to its end. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the system says of itself without any file. */
export interface SystemSummary {
  readonly os: string;
  readonly arch: string;
  readonly release: string;
  readonly cpu: string;
  readonly cores: number;
  /** After affinity and quotas. */
  readonly usableCores: number;
  /** Bytes. */
  readonly memoryTotal: number;
  /** Bytes. */
  readonly memoryAvailable: number;
  /** Bytes. */
  readonly swapFree: number;
  readonly deno: string;
}

/** A machine. What is absent, unreadable or not permitted is `undefined` or empty, never an error. */
export interface Host {
  system(): SystemSummary;
  env(name: string): string | undefined;
  readText(path: string): Promise<string | undefined>;
  /** A part of a file; shorter at its end. */
  readAt(path: string, offset: number, length: number): Promise<Uint8Array | undefined>;
  /** The names in a folder, sorted. */
  list(folder: string): Promise<readonly string[]>;
  exists(path: string): Promise<boolean>;
  /** `undefined` when there is no such command, or it may not be run. */
  run(command: string, args: readonly string[]): Promise<CommandResult | undefined>;
  /** Bytes that a user may still write where the path is, or would be. */
  freeDisk(path: string): Promise<number | undefined>;
}

/**
 * Set by people who need it, these make Deno refuse to start a command when only that command is
 * allowed; empty, they have no effect on it.
 */
const LOADER_VARIABLES = { LD_LIBRARY_PATH: "", LD_PRELOAD: "", LD_AUDIT: "" };

/**
 * Deno opens files of the kernel with all permissions at once or not at all, while `cat` and `ls`
 * can do no more than read them. Where those two may not be run, these files count as absent.
 */
const OF_THE_KERNEL = /^\/(proc|sys|dev)\//;

/** The machine that this runs on. */
export function localHost(): Host {
  const run: Host["run"] = (command, args) => attemptAsync(() => runToEnd(command, args));
  const output = async (command: string, ...args: string[]) => {
    const result = await run(command, args);
    return result?.code === 0 ? result.stdout : undefined;
  };
  return {
    run,
    system() {
      const { total, available, swapFree } = Deno.systemMemoryInfo();
      return {
        os: Deno.build.os,
        arch: Deno.build.arch,
        release: release(),
        cpu: cpus()[0]?.model ?? "",
        cores: cpus().length,
        usableCores: availableParallelism(),
        memoryTotal: total,
        memoryAvailable: available,
        swapFree,
        deno: Deno.version.deno,
      };
    },
    env: (name) => attempt(() => Deno.env.get(name)),
    readText: (path) =>
      OF_THE_KERNEL.test(path) ? output("cat", path) : attemptAsync(() => Deno.readTextFile(path)),
    readAt: (path, offset, length) => attemptAsync(() => readAt(path, offset, length)),
    async list(folder) {
      const names = OF_THE_KERNEL.test(folder)
        ? (await output("ls", "-1", folder))?.split("\n").filter(Boolean)
        : await attemptAsync(() => Array.fromAsync(Deno.readDir(folder), ({ name }) => name));
      return names?.sort() ?? [];
    },
    exists: async (path) =>
      OF_THE_KERNEL.test(path)
        ? await output("ls", "-d", path) !== undefined
        : await attemptAsync(() => Deno.stat(path)) !== undefined,
    async freeDisk(path) {
      for (let folder = resolve(path);; folder = dirname(folder)) {
        const found = await attemptAsync(() => statfs(folder));
        if (found !== undefined) return Number(found.bavail) * Number(found.bsize);
        if (folder === dirname(folder)) return undefined;
      }
    },
  };
}

async function runToEnd(command: string, args: readonly string[]): Promise<CommandResult> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    env: LOADER_VARIABLES,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

async function readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

async function attemptAsync<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch {
    return undefined;
  }
}
