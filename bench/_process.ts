import { NewBieError } from "../src/errors.ts";

/**
 * Runs a script in a process of its own, and gives the JSON that it prints.
 *
 * @param request Its only argument, as JSON; none by default.
 * @throws {NewBieError} With what it said, when it fails.
 */
export async function inProcess<T>(script: string, request?: unknown): Promise<T> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--frozen", "--cached-only", "--allow-all", script],
      ...(request === undefined ? [] : [JSON.stringify(request)]),
    ],
  }).output();
  if (!success) throw new NewBieError(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
