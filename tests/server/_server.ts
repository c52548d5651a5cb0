/** A server in a folder of its own, and programs that ask it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
export { type RunningServer, startServer } from "../../bench/start_server.ts";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Asks a server, in a process of its own: tests have no network. */
export async function inClient(
  script: string,
  { url, port, args = [] }: { url: string; port: number; args?: readonly string[] },
): Promise<string> {
  const folder = new URL("packages/", import.meta.url);
  await installPackages(folder);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--frozen", "--no-prompt", "--no-check"],
      ...["--config", fileURLToPath(new URL("deno.json", folder))],
      ...[`--allow-net=127.0.0.1:${port}`, "--allow-read", "--allow-env", "--allow-sys"],
      ...[fileURLToPath(new URL(script, folder)), url, ...args],
    ],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr) + decoder.decode(stdout));
  return decoder.decode(stdout);
}

/** Installs the clients, from their own lock, where they are missing. */
export async function installPackages(folder: URL): Promise<void> {
  if (await Deno.stat(new URL("node_modules/.deno", folder)).then(() => true, () => false)) return;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet", "--frozen"],
    cwd: folder,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}
