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
 * Lets the process outlive its terminal where `nohup` started it. That has it ignore SIGHUP, but Deno ends it
 * all the same as soon as it listens to any signal, and `deno task` passes nothing of it on. What it passes
 * on is the standard input, which nohup takes from a terminal's programs by a file that can only be written.
 * To be called before anything listens to signals.
 */
export async function heedNohup(): Promise<void> {
  if (Deno.build.os !== "linux") return;
  const said = async (file: string, pattern: RegExp) =>
    pattern.exec(await readKernelFile(`/proc/self/${file}`).catch(() => ""))?.[1] ?? "0";
  const ignored = BigInt(`0x${await said("status", /^SigIgn:\s*([0-9a-f]+)$/m)}`);
  const input = Number.parseInt(await said("fdinfo/0", /^flags:\s*([0-7]+)$/m), 8);
  if ((ignored & SIGHUP_BIT) === 0n && (input & ACCESS) !== WRITE_ONLY) return;
  outlives = true;
  Deno.addSignalListener("SIGHUP", () => {});
}

/** How a file was opened, as open(2) has it: the bits, and one of their values. */
const ACCESS = 3;
const WRITE_ONLY = 1;
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
