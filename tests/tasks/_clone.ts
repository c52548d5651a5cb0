/** A copy of the repository, to be damaged. */
import { join } from "node:path";
import { temporaryFolder } from "../_folders.ts";
import { ROOT, sh } from "../integrity/_packages.ts";

/** What tasks need that make no pictures. */
const SOURCES = ["src", "tasks", "patches", "deno.json", "deno.lock"];

/** A clone, with no packages laid yet. Its tasks speak English where nothing else is asked for. */
export async function clone(more: readonly string[] = []) {
  const folder = await temporaryFolder();
  const at = (path: string) => join(folder.path, path);
  for (const name of [...SOURCES, ...more]) await sh("cp", ["-r", name, folder.path], ROOT);
  return {
    ...folder,
    at,
    async task(...args: string[]) {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["task", "--quiet", ...args],
        cwd: folder.path,
        env: { LC_ALL: "C", NO_COLOR: "1", NPM_CONFIG_REGISTRY: "" },
        stdin: "null",
      }).output();
      const decoder = new TextDecoder();
      return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
    },
    /**
     * Changes a file by putting another in its place: what is in node_modules has a second name in
     * Deno's cache, which must stay as it is.
     */
    async change(path: string, change: (bytes: Uint8Array) => Uint8Array): Promise<void> {
      const bytes = await Deno.readFile(at(path));
      await Deno.remove(at(path));
      await Deno.writeFile(at(path), change(bytes));
    },
  };
}
