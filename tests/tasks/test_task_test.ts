/** Runs `deno task test` as a user does, with the permissions that deno.json gives it. */
import assert from "node:assert/strict";
import { decodePng } from "../../src/mod.ts";
import { ROOT, runTask } from "./_task_command.ts";

Deno.test("the health check makes the recorded picture and says what each stage took", async () => {
  const picture = new URL("success_output.png", ROOT);
  await Deno.remove(picture).catch(() => {});
  const { code, out, err } = await runTask("test", ["--json"]);
  assert.equal(code, 0, err);
  const result = JSON.parse(out);
  assert(result.identical || result.psnr >= 30);
  for (const stage of ["load", "encode", "denoise", "decode", "total"]) {
    assert(result.timings[stage] > 0, stage);
    assert(err.includes(stage), stage);
  }
  const { image } = decodePng(await Deno.readFile(picture));
  assert.deepEqual([image.width, image.height], [256, 256]);
  const leftovers = [...Deno.readDirSync(ROOT)].filter(({ name }) => name === ".tmp");
  assert.deepEqual(leftovers, []);
});

for (const name of ["test", "eval", "bench", "fuzz"] as const) {
  Deno.test(`deno task ${name}: --help exits with 0, a wrong option with 2`, async () => {
    const help = await runTask(name, ["--help"]);
    assert.equal(help.code, 0, help.err);
    assert.match(help.out, new RegExp(`Usage: deno task ${name}`));
    const wrong = await runTask(name, ["--no-such-option"]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /--no-such-option/);
  });
}
