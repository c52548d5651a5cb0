/** Runs a task's own process, with the permissions that deno.json gives it. */
import configuration from "../../deno.json" with { type: "json" };

/** The top of the repository. */
export const ROOT = new URL("../..", import.meta.url);

/** The result of a finished task. */
export interface TaskResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A task without `deno task` around it, so that a signal meets the task itself. */
export function taskCommand(
  name: keyof typeof configuration.tasks,
  args: readonly string[],
  options: Deno.CommandOptions = {},
): Deno.Command {
  const [deno, ...own] = configuration.tasks[name].command.split(/\s+/);
  if (deno !== "deno") throw new Error(`The task ${name} is not one call of deno.`);
  return new Deno.Command(Deno.execPath(), {
    args: [...own, ...args],
    cwd: ROOT,
    ...options,
    env: { LC_ALL: "C", ...options.env },
  });
}

/** Runs a task to its end. */
export async function runTask(
  name: keyof typeof configuration.tasks,
  args: readonly string[],
  { stdin, env = {} }: { stdin?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<TaskResult> {
  const child = taskCommand(name, args, {
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    env,
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
    await writer.close().catch(() => {});
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}
