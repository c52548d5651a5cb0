/** Signals that ask a program to end, on systems that have them. */

/** Windows has these of all; Deno throws for any other. */
const OF_WINDOWS: readonly Deno.Signal[] = ["SIGINT", "SIGBREAK", "SIGHUP"];

/** Those of the names that the system has. */
export function signalsOf(
  names: readonly Deno.Signal[],
  os: typeof Deno.build.os = Deno.build.os,
): readonly Deno.Signal[] {
  return os === "windows" ? names.filter((name) => OF_WINDOWS.includes(name)) : names;
}

/**
 * Calls a function at each of some signals, where the system has them.
 *
 * @returns Stops that.
 */
export function onSignals(
  names: readonly Deno.Signal[],
  heard: (name: Deno.Signal) => void,
): () => void {
  const listeners = signalsOf(names).map((name) => [name, () => heard(name)] as const);
  for (const [name, listener] of listeners) Deno.addSignalListener(name, listener);
  return () => {
    for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
  };
}
