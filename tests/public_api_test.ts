/** What a program that uses the toolkit can name. */
import assert from "node:assert/strict";
import { inTempFolder } from "./_folders.ts";

const MODULE = new URL("../src/mod.ts", import.meta.url).pathname;

/** Types that a module's public declarations mention and that it does not export. */
async function hiddenTypes(path: string): Promise<readonly string[]> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", path],
    env: { NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert(!/error: (?!\d|Found)/.test(said.replaceAll(/error\[[\w-]+\]:/g, "")), said);
  return [...said.matchAll(/error\[private-type-ref\]: (.*)/g)].map(([, problem]) => problem!);
}

Deno.test("every type that the public API mentions can be imported", async () => {
  assert.deepEqual(await hiddenTypes(MODULE), []);
});

Deno.test("a type that is not exported would be found", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/mod.ts`;
    await Deno.writeTextFile(
      path,
      "interface Hidden { a: 1 }\nexport function give(): Hidden { return { a: 1 }; }\n",
    );
    const [problem, ...more] = await hiddenTypes(path);
    assert.match(problem!, /'give' references private type 'Hidden'/);
    assert.equal(more.length, 0);
  });
});
