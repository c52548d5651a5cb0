/** Runs `deno task test` as a user does, with the permissions that deno.json gives it. */
import assert from "node:assert/strict";
import { decodePng } from "../../src/mod.ts";

const root = new URL("../..", import.meta.url);

async function denoTask(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", ...args],
    cwd: root,
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("the health check makes the recorded picture and says what each stage took", async () => {
  const picture = new URL("success_output.png", root);
  await Deno.remove(picture).catch(() => {});
  const { code, out, err } = await denoTask("test", "--json");
  assert.equal(code, 0, err);
  const result = JSON.parse(out);
  assert(result.identical || result.psnr >= 30);
  for (const stage of ["load", "encode", "denoise", "decode", "total"]) {
    assert(result.timings[stage] > 0, stage);
    assert(err.includes(stage), stage);
  }
  const { image } = decodePng(await Deno.readFile(picture));
  assert.deepEqual([image.width, image.height], [256, 256]);
  const leftovers = [...Deno.readDirSync(root)].filter(({ name }) => name.endsWith(".part"));
  assert.deepEqual(leftovers, []);
});

for (const name of ["test", "eval", "bench", "fuzz"]) {
  Deno.test(`deno task ${name}: --help exits with 0, a wrong option with 2`, async () => {
    const help = await denoTask(name, "--help");
    assert.equal(help.code, 0, help.err);
    assert.match(help.out, new RegExp(`Usage: deno task ${name}`));
    const wrong = await denoTask(name, "--no-such-option");
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /--no-such-option/);
  });
}
