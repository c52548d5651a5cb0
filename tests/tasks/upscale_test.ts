import assert from "node:assert/strict";
import { decodePicture } from "../../src/image/mod.ts";
import { fixture } from "../_fixtures.ts";
import { ROOT, runTask } from "./_task_command.ts";

const HEALTH = "models/demo/health_check.png";

Deno.test("a picture is enlarged by a network, and by a filter where there is none", async () => {
  for (
    const [args, side] of [
      [["--upscaler", "lanczos"], 512],
      [["--upscaler", fixture("upscaler/srvgg_x4"), "--scale", "1.5"], 384],
      [["--upscaler", fixture("upscaler/rrdb_x2"), "--device", "cpu"], 512],
    ] as const
  ) {
    const { code, out, err } = await runTask("upscale", [HEALTH, ...args, "--json"]);
    assert.equal(code, 0, err);
    const { path, width, height } = JSON.parse(out);
    const { image } = await decodePicture(await Deno.readFile(new URL(path, ROOT)));
    assert.deepEqual([width, height, image.width, image.height], [side, side, side, side]);
    assert(/health_check-upscaled(-\d+)?\.png$/.test(path), path);
    await Deno.remove(new URL(path, ROOT));
  }
});

Deno.test("what cannot be enlarged is refused in one sentence, in both languages", async () => {
  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [[HEALTH, "--upscaler", "no"], /no upscaler "no"/],
    [[HEALTH, "--scale", "1000", "--upscaler", "lanczos"], /at most 67108864 pixels/],
    [["deno.json"], /deno\.json: /],
    [["no/such.png"], /cannot be read/],
    [[HEALTH, "--output", "x.gif"], /gif/],
  ];
  for (const [args, words] of refused) {
    const { code, err } = await runTask("upscale", args);
    assert.equal(code, 2, err);
    assert.match(err, words);
    const chinese = await runTask("upscale", [...args, "--lang", "zh"]);
    assert.match(chinese.err, /[\u4e00-\u9fff]/);
  }
});
