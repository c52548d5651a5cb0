import { NewBieError } from "../src/errors.ts";

/** What our tasks may do, and a benchmark needs. */
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-env", "--allow-run", "--allow-sys"];

/** Whose kernels the transformer has on a GPU: those of `create`, or of `create:fast`. */
export type Kernels = "onnxruntime" | "own";

/**
 * Runs a script in a process of its own, and gives the JSON that it prints.
 *
 * @param request Its only argument, as JSON; none by default.
 * @param kernels Decides whether it may call all native code, which our own kernels need.
 * @throws {NewBieError} With what it said, when it fails.
 */
export async function inProcess<T>(
  script: string,
  request?: unknown,
  kernels: Kernels = "onnxruntime",
): Promise<T> {
  const ffi = kernels === "own" ? "--allow-ffi" : "--allow-ffi=node_modules";
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--frozen", "--cached-only", "--no-prompt", ...PERMISSIONS, ffi, script],
      ...(request === undefined ? [] : [JSON.stringify(request)]),
    ],
  }).output();
  if (!success) throw new NewBieError(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
