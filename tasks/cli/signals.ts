/** Signals that ask a program to end, on systems that have them. */
import { readKernelFile } from "../../src/kernel_file.ts";

/** Windows has these of all; Deno throws for any other. */
const OF_WINDOWS: readonly Deno.Signal[] = ["SIGINT", "SIGBREAK", "SIGHUP"];

/** Those of the names that the system has. */
export function signalsOf(
  names: readonly Deno.Signal[],
  os: typeof Deno.build.os = Deno.build.os,
): readonly Deno.Signal[] {
  return os === "windows" ? names.filter((name) => OF_WINDOWS.includes(name)) : names;
}

let outlives = false;

/**
 * Lets the process outlive its terminal where whoever started it wants it to, as `nohup` does: by having it
 * ignore SIGHUP. Deno would end it all the same as soon as it listens to any signal. To be called before
 * that.
 */
export async function heedNohup(): Promise<void> {
  if (Deno.build.os !== "linux") return;
  const status = await readKernelFile("/proc/self/status").catch(() => "");
  const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  if ((BigInt(`0x${ignored}`) & SIGHUP_BIT) === 0n) return;
  outlives = true;
  Deno.addSignalListener("SIGHUP", () => {});
}

/** In the kernel's sets of signals a bit for each, from number 1 on. */
const SIGHUP_BIT = 1n;

/**
 * Calls a function at each of some signals, where the system has them and they are not ignored.
 *
 * @returns Stops that.
 */
export function onSignals(
  names: readonly Deno.Signal[],
  heard: (name: Deno.Signal) => void,
): () => void {
  const listeners = signalsOf(names).filter((name) => name !== "SIGHUP" || !outlives)
    .map((name) => [name, () => heard(name)] as const);
  for (const [name, listener] of listeners) Deno.addSignalListener(name, listener);
  return () => {
    for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
  };
}
