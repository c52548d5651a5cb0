import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { decodePicture, encodePictureAs, readPictureText } from "../../src/image/mod.ts";
import { readRecipe, readUpscaleRecords } from "../../src/recipe/mod.ts";
import { fixture } from "../_fixtures.ts";
import { rgbaPng } from "../_rgba_png.ts";
import { inTempFolder } from "../_folders.ts";
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

Deno.test("what is transparent is enlarged as white, and that is said; a scale of 0 is none", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/half.png`;
    await Deno.writeFile(path, rgbaPng(32, (x) => x < 16 ? [0, 0, 0, 255] : [0, 0, 0, 0]));
    const { out, err } = await runTask("upscale", [path, "--upscaler", "lanczos", "--json"]);
    assert.match(err, /transparent in the picture becomes white/);
    const made = new URL(JSON.parse(out).path, ROOT);
    const { image: { data, width } } = await decodePicture(await Deno.readFile(made));
    assert.deepEqual([data[0], data[3 * (width - 1)]], [0, 255]);
    await Deno.remove(made);
    const none = await runTask("upscale", [path, "--scale", "0"]);
    assert.equal(none.code, 2);
    assert.match(none.err, /Expected a number above 0/);
  });
});

Deno.test("an enlarged picture keeps the other's recipe, and says what it was made of and how", async () => {
  const sha256 = async (path: string) =>
    createHash("sha256").update(await Deno.readFile(new URL(path, ROOT))).digest("hex");
  const made = async (task: "create" | "upscale", ...args: readonly string[]) => {
    const { code, out, err } = await runTask(task, [...args, "--json"]);
    assert.equal(code, 0, err);
    const { path, pictures } = JSON.parse(out);
    return { path: (path ?? pictures[0].path) as string, err };
  };
  const small = ["--width", "64", "--height", "80", "--steps", "1"];
  const { path: drawn } = await made("create", "--prompt", "1girl", ...small);
  const network = `${fixture("upscaler/rrdb_x2")}/model.safetensors`;
  const asked = ["--upscaler", network, "--scale", "1.5", "--tile", "50"];
  const { path } = await made("upscale", drawn, ...asked);
  const bytes = await Deno.readFile(new URL(path, ROOT));
  const original = await Deno.readFile(new URL(drawn, ROOT));
  assert.deepEqual(readRecipe(bytes), readRecipe(original));
  const texts = readPictureText(bytes).text;
  assert.equal(texts["parameters"], readPictureText(original).text["parameters"]);
  assert.match(
    texts["postprocessing"]!,
    /^Postprocess upscale by: 1\.5, Postprocess upscaler: tests/,
  );
  const [record, ...others] = readUpscaleRecords(bytes);
  assert.deepEqual(others, []);
  const { image, scale, upscaler } = record!;
  const size = { width: 64, height: 80 };
  assert.deepEqual(image, { name: drawn, sha256: await sha256(drawn), ...size });
  assert.equal(scale, 1.5);
  const { name, sha256: own, scale: factor, tileSize } = upscaler!;
  assert.deepEqual([own, factor, tileSize], [await sha256(network), 2, 50]);
  assert.equal(name, "tests/fixtures/upscaler/rrdb_x2/model.safetensors");

  // Enlarged again, in another format: both records are there. Its recipe makes the first picture.
  const { path: twice } = await made(
    "upscale",
    path,
    "--upscaler",
    "lanczos",
    "--output",
    "2.webp",
  );
  const records = readUpscaleRecords(await Deno.readFile(new URL(twice, ROOT)));
  assert.deepEqual(records.map(({ image }) => image.width), [64, 96]);
  assert.equal(records[1]!.upscaler, undefined);
  const { path: again, err } = await made("create", "--from", twice);
  assert.match(err, /enlarged by upscale; its recipe makes the picture of 64×80/);
  assert.deepEqual(
    await decodePicture(await Deno.readFile(new URL(again, ROOT))),
    await decodePicture(original),
  );
  for (const one of [drawn, path, twice, again]) await Deno.remove(new URL(one, ROOT));
});

Deno.test("an enlarged picture keeps what another program wrote, in its own place", async () => {
  await inTempFolder(async (folder) => {
    const { image } = await decodePicture(await Deno.readFile(HEALTH));
    const parameters = "1girl\nSteps: 20, Sampler: Euler, Seed: 7, CFG scale: 5";
    await Deno.writeFile(
      `${folder}/a.jpg`,
      await encodePictureAs(image, "jpeg", {
        text: { parameters },
      }),
    );
    const args = [`${folder}/a.jpg`, "--upscaler", "lanczos", "--output", "a.png", "--json"];
    const { code, out, err } = await runTask("upscale", args);
    assert.equal(code, 0, err);
    const { path } = JSON.parse(out);
    const { text } = readPictureText(await Deno.readFile(new URL(path, ROOT)));
    assert.equal(text["parameters"], parameters);
    await Deno.remove(new URL(path, ROOT));
  });
});

Deno.test("what cannot be enlarged is refused in one sentence, in both languages", async () => {
  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [[HEALTH, "--upscaler", "no"], /no upscaler "no"/],
    [[HEALTH, "--scale", "1000", "--upscaler", "lanczos"], /at most 67108864 pixels/],
    [["deno.json"], /deno\.json: /],
    [["no/such.png"], /cannot be read/],
    [[HEALTH, "--output", "x.gif"], /gif/],
    [[HEALTH, "--upscaler", fixture("upscaler/rrdb_x2"), "--tile", "0"], /tileSize must be 1/],
  ];
  for (const [args, words] of refused) {
    const { code, err } = await runTask("upscale", args);
    assert.equal(code, 2, err);
    assert.match(err, words);
    const chinese = await runTask("upscale", [...args, "--lang", "zh"]);
    assert.match(chinese.err, /[\u4e00-\u9fff]/);
  }
});
