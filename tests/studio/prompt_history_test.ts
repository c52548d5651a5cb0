import assert from "node:assert/strict";
import { PromptHistory } from "../../src/studio/prompt_history.ts";
import { inTempFolder } from "../_folders.ts";

Deno.test("prompts are kept between sittings, the latest first, and each once", async () => {
  await inTempFolder(async (folder) => {
    const file = `${folder}/.history`;
    const first = await PromptHistory.open(file);
    for (const prompt of ["a", "<b>\n  c\r\n</b>", "a", " "]) await first.add(prompt);
    assert.deepEqual(first.latestFirst, ["a", "<b> c </b>"]);
    const second = await PromptHistory.open(file);
    assert.deepEqual(second.latestFirst, ["a", "<b> c </b>"]);
    // Two sittings at once lose nothing of each other.
    await second.add("of the second");
    await first.add("of the first");
    const third = await PromptHistory.open(file);
    assert.deepEqual(third.latestFirst, ["of the first", "of the second", "a", "<b> c </b>"]);
  });
});

Deno.test(
  "nobody else may read what was typed",
  { ignore: Deno.build.os === "windows" },
  async () => {
    await inTempFolder(async (folder) => {
      const file = `${folder}/.history`;
      await (await PromptHistory.open(file)).add("a");
      assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
    });
  },
);

Deno.test("what is kept has a bound", async () => {
  await inTempFolder(async (folder) => {
    const file = `${folder}/.history`;
    const history = await PromptHistory.open(file);
    for (let index = 0; index < 250; index++) await history.add(`prompt ${index}`);
    const { latestFirst } = await PromptHistory.open(file);
    assert.deepEqual([latestFirst.length, latestFirst[0]], [200, "prompt 249"]);
    for (let index = 0; index < 10; index++) await history.add(`${index}${"x".repeat(50_000)}`);
    assert((await Deno.stat(file)).size <= 256 * 1024);
    assert.equal((await PromptHistory.open(file)).latestFirst[0]![0], "9");
  });
});

Deno.test("a history that is damaged or cannot be written is done without", async () => {
  await inTempFolder(async (folder) => {
    const file = `${folder}/.history`;
    await Deno.writeTextFile(file, 'not JSON\n3\n"kept"\n');
    assert.deepEqual((await PromptHistory.open(file)).latestFirst, ["kept"]);
    const nowhere = await PromptHistory.open(`${folder}/none/.history`);
    await nowhere.add("a");
    assert.deepEqual(nowhere.latestFirst, ["a"]);
  });
});
