/**
 * What a machine can be asked: files, commands, variables. Facts about machines are read through
 * this interface, so that tests can describe machines that they do not run on.
 *
 * @module
 */
import { availableParallelism, cpus, release } from "node:os";
import { access, constants, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { readPart } from "../files.ts";
import { readKernelFile } from "../kernel_file.ts";
import { type AdapterFacts, readAdapter } from "./webgpu_adapter.ts";

/** A command that was run to its end. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the system says of itself without any file; what it may not be asked is absent or empty. */
export interface SystemSummary {
  readonly os: string;
  readonly arch: string;
  readonly release: string;
  readonly cpu: string;
  readonly cores: number;
  /** After affinity and quotas. */
  readonly usableCores: number;
  readonly memory?: SystemMemory;
  readonly deno: string;
}

/** Memory as the system counts it, in bytes. */
export interface SystemMemory {
  readonly total: number;
  readonly available: number;
  readonly swapFree: number;
  /** The control group's limit, where there is one. */
  readonly limit?: number;
}

/** A machine. What is absent, unreadable or not permitted is `undefined` or empty, never an error. */
export interface Host {
  system(): SystemSummary;
  env(name: string): string | undefined;
  /** Whether every file and the variable LD_LIBRARY_PATH may be read: what is not seen is not there. */
  seesEverything(): boolean;
  readText(path: string): Promise<string | undefined>;
  /** A part of a file; shorter at its end. */
  readAt(path: string, offset: number, length: number): Promise<Uint8Array | undefined>;
  /** The names in a folder, sorted. */
  list(folder: string): Promise<readonly string[]>;
  exists(path: string): Promise<boolean>;
  /** Whether something else stands in a folder's place: a file, or a link that leads nowhere. */
  isNoFolder(path: string): Promise<boolean>;
  /**
   * `undefined` when there is no such command, or it may not be run; `"silent"` when it did not end
   * within {@linkcode COMMAND_SECONDS} seconds, and was given up.
   */
  run(command: string, args: readonly string[]): Promise<CommandResult | "silent" | undefined>;
  /** Bytes that a user may still write where the path is, or would be. */
  freeDisk(path: string): Promise<number | undefined>;
  /** The adapter that WebGPU would take. */
  adapter(): Promise<AdapterFacts | undefined>;
  /** Whether this user may write into the folder, or into the one in which it would be made. */
  mayWrite(path: string): Promise<boolean>;
}

/**
 * Set by people who need it, these make Deno refuse to start a command when only that command is
 * allowed; empty, they have no effect on it.
 */
const LOADER_VARIABLES = { LD_LIBRARY_PATH: "", LD_PRELOAD: "", LD_AUDIT: "" };

/**
 * How long a command may take. nvidia-smi takes a second or two; on a machine with eight GPUs whose
 * driver starts anew for each call, several. With a driver that hangs it never ends.
 */
export const COMMAND_SECONDS = 10;

/**
 * Deno's file functions open files of the kernel with all permissions at once or not at all. An
 * import as text needs permission to read that one file only.
 */
const OF_THE_KERNEL = /^\/(proc|sys)\//;

/**
 * The machine that this runs on.
 *
 * @param commandSeconds How long a command may take.
 */
export function localHost(commandSeconds: number = COMMAND_SECONDS): Host {
  return {
    run: (command, args) => attemptAsync(() => runToEnd(command, args, commandSeconds)),
    system() {
      const processors = attempt(() => cpus()) ?? [];
      const memory = attempt(systemMemory);
      return {
        os: Deno.build.os,
        arch: Deno.build.arch,
        release: attempt(() => release()) ?? "",
        cpu: processors[0]?.model ?? "",
        cores: Math.max(processors.length, availableParallelism()),
        usableCores: availableParallelism(),
        ...(memory === undefined ? {} : { memory }),
        deno: Deno.version.deno,
      };
    },
    env: (name) => attempt(() => Deno.env.get(name)),
    seesEverything: () =>
      ([{ name: "read" }, { name: "env", variable: "LD_LIBRARY_PATH" }] as const).every((asked) =>
        Deno.permissions.querySync(asked).state === "granted"
      ),
    readText: (path) =>
      attemptAsync(() => OF_THE_KERNEL.test(path) ? readKernelFile(path) : Deno.readTextFile(path)),
    readAt: (path, offset, length) => attemptAsync(() => readAt(path, offset, length)),
    async list(folder) {
      const names = await attemptAsync(() =>
        Array.fromAsync(Deno.readDir(folder), ({ name }) => name)
      );
      return names?.sort() ?? [];
    },
    exists: async (path) => await attemptAsync(() => Deno.stat(path)) !== undefined,
    async isNoFolder(path) {
      const found = await attemptAsync(() => Deno.lstat(path));
      if (found === undefined) return false;
      return !((await attemptAsync(() => Deno.stat(path)))?.isDirectory ?? false);
    },
    async mayWrite(path) {
      for (let folder = resolve(path);; folder = dirname(folder)) {
        if (
          await attemptAsync(() => Deno.stat(folder)) === undefined && folder !== dirname(folder)
        ) {
          continue;
        }
        // Who may not ask who it is finds out when it writes.
        const mayAsk = (["uid", "gid"] as const).every((kind) =>
          Deno.permissions.querySync({ name: "sys", kind }).state === "granted"
        );
        if (!mayAsk) return true;
        const mayBy = await access(folder, constants.W_OK).then(() => true, () => false);
        return mayBy && !isReadOnlyMount(await readKernelFile(MOUNTS).catch(() => ""), folder);
      }
    },
    async freeDisk(path) {
      for (let folder = resolve(path);; folder = dirname(folder)) {
        const found = await attemptAsync(() => statfs(folder));
        if (found !== undefined) return Number(found.bavail) * Number(found.bsize);
        if (folder === dirname(folder)) return undefined;
      }
    },
    adapter: () => attemptAsync(() => readAdapter()),
  };
}

function systemMemory(): SystemMemory {
  const { total, available, swapFree } = Deno.systemMemoryInfo();
  const limit = process.constrainedMemory();
  return { total, available, swapFree, ...(limit > 0 && limit < total ? { limit } : {}) };
}

const MOUNTS = "/proc/self/mountinfo";

/** Whether a path's file system is mounted read-only. Format: proc_pid_mountinfo(5). */
function isReadOnlyMount(mounts: string, path: string): boolean {
  const found = mounts.split("\n").map((line) => line.split(" ")).filter(([, , , , place]) =>
    place !== undefined && (place === "/" || path === place || path.startsWith(`${place}/`))
  );
  // Of several on one place the last one is seen.
  const longest = found.reduce<readonly string[]>(
    (best, line) => line[4]!.length >= (best[4] ?? "").length ? line : best,
    [],
  );
  return longest[5]?.split(",").includes("ro") ?? false;
}

/**
 * Runs a command for as long as it may take. A process that hangs in a driver can neither be killed
 * nor waited for. It is left running, and must not keep this program from ending.
 */
async function runToEnd(
  command: string,
  args: readonly string[],
  seconds: number,
): Promise<CommandResult | "silent"> {
  const child = new Deno.Command(command, {
    args: [...args],
    env: LOADER_VARIABLES,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [output, errors] = [child.stdout.getReader(), child.stderr.getReader()];
  const ended = Promise.all([child.status, readAll(output), readAll(errors)]);
  const late = Promise.withResolvers<"silent">();
  const timer = setTimeout(() => late.resolve("silent"), seconds * 1000);
  try {
    const result = await Promise.race([ended, late.promise]);
    if (result !== "silent") {
      const [{ code }, stdout, stderr] = result;
      return { code, stdout, stderr };
    }
    ended.catch(() => {});
    attempt(() => child.kill("SIGKILL"));
    child.unref();
    for (const reader of [output, errors]) reader.cancel().catch(() => {});
    return "silent";
  } finally {
    clearTimeout(timer);
  }
}

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
  }
}

async function readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
  using file = await Deno.open(path);
  return await readPart(file, offset, length);
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
