import assert from "node:assert/strict";
import { decodePng, psnr } from "../../src/mod.ts";
import { runHealthCheck } from "../../src/studio/health_check.ts";
import { inTempFolder } from "../_folders.ts";
import { ROOT, runTask } from "./_task_command.ts";

const quantize = (...args: string[]) => runTask("quantize", args);

Deno.test("deno task quantize makes a smaller demo model that draws the recorded picture", async () => {
  await inTempFolder(async (folder) => {
    const target = `${folder}/int8`;
    const { code, out, err } = await quantize(
      "models/demo",
      "--bits",
      "8",
      "--out",
      target,
      "--json",
    );
    assert.equal(code, 0, err);
    const { files } = JSON.parse(out);
    assert.equal(files.length, 2);
    for (const { path, bytesBefore, bytesAfter, left } of files) {
      assert.deepEqual(left, []);
      assert.equal((await Deno.stat(`${target}/${path}`)).size, bytesAfter);
      // One byte and a 32nd of two, where there were two; embedders and the like stay.
      assert(bytesAfter < 0.7 * bytesBefore, path);
    }
    const { image } = await runHealthCheck({ model: target, log: () => {} });
    const recorded = await Deno.readFile(new URL("models/demo/health_check.png", ROOT));
    const similarity = psnr(image, decodePng(recorded).image);
    assert(similarity > 30, `PSNR ${similarity} dB`);
    assert(similarity < Infinity, "nothing was quantised");
  });
});

Deno.test("deno task quantize says what is wrong with a request, and exits with 2", async () => {
  await inTempFolder(async (folder) => {
    assert.match((await quantize("--help")).out, /Usage: deno task quantize/);
    for (
      const [message, ...args] of [
        ["--bits", "models/demo"],
        ["4 or 8", "models/demo", "--bits", "5"],
        ["16, 32, 64", "models/demo", "--bits", "4", "--block", "48", "--out", `${folder}/x`],
        ["nothing to quantise", "models/demo/vae", "--bits", "4", "--out", `${folder}/x`],
        ["there already", "models/demo", "--bits", "4", "--out", folder],
      ]
    ) {
      const { code, err } = await quantize(...args);
      assert.equal(code, 2, err);
      assert(err.includes(message!), err);
    }
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
});
