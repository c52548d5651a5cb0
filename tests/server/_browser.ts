/** Scripts that drive the page in Debian's chromium. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { installPackages, type RunningServer } from "./_server.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Runs a script of `packages/` in a browser; where there is none, says so and leaves it out. */
export async function inBrowser(
  test: Deno.TestContext,
  script: string,
  server: RunningServer,
  args: readonly string[] = [],
): Promise<void> {
  const browser = CHROMIUM.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
  if (browser === undefined) {
    console.error("There is no chromium here, so the page was not tried: apt-get install chromium");
    await test.step({ name: "in chromium", ignore: true, fn: () => {} });
    return;
  }
  const packages = new URL("packages/", import.meta.url);
  await installPackages(packages);
  const folder = fileURLToPath(packages);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--frozen", "--allow-all", "--no-check"],
      ...["--config", `${folder}deno.json`, `${folder}${script}`, server.url, browser, ...args],
    ],
    stdin: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}
