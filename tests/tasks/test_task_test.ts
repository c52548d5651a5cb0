/** Runs `deno task test` as a user does, with the permissions that deno.json gives it. */
import assert from "node:assert/strict";
import { decodePng } from "../../src/mod.ts";

const root = new URL("../..", import.meta.url);

async function denoTask(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", ...args],
    cwd: root,
    env: { NO_COLOR: "1" },
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

Deno.test("--help explains and exits with 0, a wrong option exits with 2", async () => {
  const help = await denoTask("test", "--help");
  assert.equal(help.code, 0);
  assert.match(help.out, /Usage: deno task test/);
  const wrong = await denoTask("test", "--no-such-option");
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /--no-such-option/);
});
