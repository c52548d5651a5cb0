/** The page that is served is the one that its sources make. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../_folders.ts";
import { installPackages } from "./_server.ts";

const PAGE = new URL("../../src/server/page/", import.meta.url);

async function inPage(...args: readonly string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: PAGE,
    env: { NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder();
  assert(success, said.decode(stderr) + said.decode(stdout));
}

Deno.test("the page's files are made of its sources, byte by byte", async () => {
  await installPackages(PAGE);
  await using folder = await temporaryFolder();
  await inPage("run", "--frozen", "--allow-all", "build.ts", `file://${folder.path}/`);
  const names = [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
  assert(names.includes("page.js") && names.includes("index.html"));
  assert.deepEqual(
    [...Deno.readDirSync(new URL("built/", PAGE))].map(({ name }) => name).sort(),
    names,
  );
  for (const name of names) {
    const built = await Deno.readFile(`${folder.path}/${name}`);
    const kept = await Deno.readFile(new URL(`built/${name}`, PAGE));
    assert(
      built.length === kept.length && built.every((byte, at) => byte === kept[at]),
      `${name} is not what its sources make: run deno task page`,
    );
  }
});

Deno.test("the page's sources are typed, formatted and linted", async () => {
  await installPackages(PAGE);
  await inPage("check", fileURLToPath(new URL("main.tsx", PAGE)));
  await inPage("fmt", "--check");
  await inPage("lint");
});

Deno.test("the page's own text asks for nothing from elsewhere and has no inline script", async () => {
  const html = await Deno.readTextFile(new URL("built/index.html", PAGE));
  assert(!/https?:\/\//.test(html), html);
  assert(!/<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=/.test(html), html);
});
