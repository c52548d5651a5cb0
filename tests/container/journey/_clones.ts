/** Clones of the commit, and tasks that run in them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { output } from "./_engine.ts";
import { BUILD, ROOT } from "./_names.ts";

const DOWNLOADS = "node_modules/.cache/newbie/downloads";

/** A clone of the commit, in a folder of its own. */
export interface Clone {
  readonly folder: string;
  /** Runs a task there. */
  readonly task: (...args: string[]) => Promise<TaskResult>;
}

export interface TaskResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function succeed(clone: Clone, ...args: string[]): Promise<TaskResult> {
  const result = await clone.task(...args);
  assert.equal(result.code, 0, `${args.join(" ")}\n${result.out}${result.err}`);
  return result;
}

/** With what was fetched before, by hard links: another build may not change it. */
export async function clone(folder: string): Promise<Clone> {
  await output("git", "clone", "--quiet", "--no-hardlinks", ROOT, folder);
  await Deno.mkdir(join(folder, DOWNLOADS, ".."), { recursive: true });
  await output("cp", "--archive", "--link", join(ROOT, DOWNLOADS), join(folder, DOWNLOADS)).catch(
    () => {},
  );
  const task = async (...args: string[]) => {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", ...args],
      cwd: folder,
      stdin: "null",
      env: { LC_ALL: "C", NO_COLOR: "1" },
    });
    const { code, stdout, stderr } = await command.output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    return { code, out: out!, err: err! };
  };
  await succeed({ folder, task }, "install");
  return { folder, task };
}

export async function build({ task }: Clone): Promise<{ readonly image: string }> {
  const { code, out, err } = await task(...BUILD, "--json");
  assert.equal(code, 0, err);
  return JSON.parse(out);
}
