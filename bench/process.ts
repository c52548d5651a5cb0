import { NewBieError } from "../src/errors.ts";

/** Whose kernels the transformer has on a GPU: those of `create`, or of `create:fast`. */
export type Kernels = "onnxruntime" | "own";

/** Our own kernels need leave for all native code, and are used where a program has it. */
const PERMISSIONS: Readonly<Record<Kernels, readonly string[]>> = {
  onnxruntime: [
    "--allow-read",
    "--allow-write",
    "--allow-env",
    "--allow-run",
    "--allow-sys",
    "--allow-ffi=node_modules",
  ],
  own: ["--allow-all"],
};

/**
 * Runs a script in a process of its own, and gives the JSON that it prints.
 *
 * @param request Its only argument, as JSON; none by default.
 * @param kernels Decides what it may do; everything by default.
 * @param log Is told what it says meanwhile.
 * @throws {NewBieError} With what it said, when it fails.
 */
export async function inProcess<T>(
  script: string,
  request?: unknown,
  kernels: Kernels = "own",
  log?: (lines: readonly string[]) => void,
): Promise<T> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--frozen", "--cached-only", "--no-prompt", ...PERMISSIONS[kernels], script],
      ...(request === undefined ? [] : [JSON.stringify(request)]),
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let said = "";
  const listen = async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      log?.(linesOf(text));
    }
  };
  const [{ success }, stdout] = await Promise.all([child.status, child.stdout.text(), listen()]);
  if (!success) {
    const printed = linesOf(said);
    throw new NewBieError({
      en: [`${script} failed:`, ...printed],
      zh: [`${script} 失败：`, ...printed],
    });
  }
  return JSON.parse(stdout);
}

function linesOf(text: string): readonly string[] {
  return text.trimEnd().split("\n");
}
