/** `create` from pictures: what is kept, what is recorded, and what is made again. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { decodePicture, encodePng, type RgbImage } from "../../src/image/mod.ts";
import { readRecipe } from "../../src/recipe/mod.ts";
import { fixture } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { ROOT, runTask } from "./_task_command.ts";

const HEALTH = "models/demo/health_check.png";
const QUICK = ["--steps", "3", "--seed", "5", "--json"];

async function create(...args: readonly string[]) {
  const { code, out, err } = await runTask("create", args);
  assert.equal(code, 0, err);
  const { pictures, differences } = JSON.parse(out);
  const path = pictures[0].path as string;
  const bytes = await Deno.readFile(new URL(path, ROOT));
  return { path, bytes, recipe: readRecipe(bytes), differences, err, pictures };
}

async function refused(words: RegExp, ...args: readonly string[]) {
  for (const lang of ["en", "zh"]) {
    const { code, err } = await runTask("create", [...args, "--lang", lang]);
    assert.equal(code, 2, err);
    if (lang === "en") assert.match(err, words);
    else assert.match(err, /[\u4e00-\u9fff]/);
  }
}

/** White in a square of a picture of 256 × 256. */
function square(): RgbImage {
  const data = new Uint8ClampedArray(3 * 256 * 256);
  for (let row = 96; row < 160; row++) data.fill(255, 3 * (row * 256 + 96), 3 * (row * 256 + 160));
  return { data, width: 256, height: 256 };
}

Deno.test("a picture with a mask keeps its pixels outside, and is made again bit for bit", async () => {
  await inTempFolder(async (folder) => {
    const mask = `${folder}/mask.png`;
    await Deno.writeFile(mask, encodePng(square()));
    const asked = ["--prompt", "1girl, smile", "--image", HEALTH, "--mask", mask];
    const first = await create(...asked, "--strength", "0.8", ...QUICK);
    const { image: drawn } = await decodePicture(first.bytes);
    const { image: original } = await decodePicture(await Deno.readFile(HEALTH));
    let changed = 0;
    drawn.data.forEach((value, index) => {
      const [row, column] = [Math.floor(index / 768), Math.floor(index / 3) % 256];
      const isNear = Math.min(row - 86, 169 - row, column - 86, 169 - column) > 0;
      if (!isNear) assert.equal(value, original.data[index], `${row}, ${column}`);
      else if (value !== original.data[index]) changed++;
    });
    assert(changed > 1000, `${changed} values changed`);
    const { source, pictures, strength } = first.recipe;
    assert.equal(source!.image, HEALTH);
    // The folder's name is nobody's business.
    assert.equal(source!.mask, "mask.png");
    assert.match(pictures!.image, /^[0-9a-f]{64}$/);
    assert.equal(strength, 0.8);

    // The mask lies elsewhere: it is asked for, and then taken.
    await refused(
      /drawn from a picture \(mask, .*mask\.png is not there.*--mask/,
      "--from",
      first.path,
    );
    const again = await create("--from", first.path, "--mask", mask, "--json");
    assert.deepEqual(again.differences, []);
    assert.deepEqual(again.recipe, first.recipe);
    const { image: same } = await decodePicture(again.bytes);
    assert.deepEqual(same, drawn);

    const other = square();
    other.data[0] = 255;
    await Deno.writeFile(mask, encodePng(other));
    const changedMask = await create("--from", first.path, "--mask", mask, "--json");
    assert.deepEqual(changedMask.differences, ["mask"]);
    assert.match(changedMask.err, /another mask/);
  });
});

Deno.test("a picture enlarged by a network tells which, and is made again with it or asks for it", async () => {
  await inTempFolder(async (folder) => {
    const network = `${folder}/anime.safetensors`;
    await Deno.copyFile(`${fixture("upscaler/rrdb_x4")}/model.safetensors`, network);
    const asked = [
      "--width",
      "64",
      "--height",
      "64",
      "--hires",
      "1.5",
      "--hires-upscaler",
      network,
    ];
    const first = await create("--prompt", "1girl", ...asked, ...QUICK);
    const { hires, upscaler } = first.recipe;
    // The folder's name is nobody's business.
    assert.deepEqual([hires!.upscaler, upscaler!.name], ["anime.safetensors", "anime.safetensors"]);
    const sum = createHash("sha256").update(await Deno.readFile(network)).digest("hex");
    assert.equal(upscaler!.sha256, sum);

    await refused(
      /drawn twice\. The upscaler "anime\.safetensors" \(SHA-256 .*put it there.*--hires-upscaler/,
      "--from",
      first.path,
    );
    const again = await create("--from", first.path, "--hires-upscaler", network, "--json");
    assert.deepEqual(again.differences, []);
    assert.deepEqual(again.recipe, first.recipe);
    assert.deepEqual(await decodePicture(again.bytes), await decodePicture(first.bytes));
    // Who goes on from the picture draws once, at its size.
    const on = await create("--from", first.path, "--strength", "0.5", ...QUICK);
    assert.equal(on.recipe.hires, undefined);
    assert.deepEqual([on.recipe.width, on.recipe.height], [96, 96]);
  });
});

Deno.test("the last picture can be the one to start from, by its word, and a sheet of several cannot", async () => {
  const first = await create("--prompt", "1girl", "--width", "64", "--height", "64", ...QUICK);
  const asked = ["--prompt", "1boy", "--image", "last", "--strength", "0.5", ...QUICK];
  const next = await create(...asked);
  assert.equal(next.recipe.source!.image, first.path);
  assert.deepEqual([next.recipe.prompt, next.recipe.width], ["1boy", 64]);
  const { code, out, err } = await runTask("create", [
    ...["--prompt", "1girl", "--width", "64", "--height", "64", "--grid", "seed=1-2"],
    ...["--steps", "1", "--json"],
  ]);
  assert.equal(code, 0, err);
  const { sheet } = JSON.parse(out);
  await refused(/is a sheet of pictures: name one/, "--from", sheet.path, "--strength", "0.4");
});

Deno.test("another program's strength counts with a picture, and its upscaler only if it is here", async () => {
  await inTempFolder(async (folder) => {
    const { image } = await decodePicture(await Deno.readFile(HEALTH));
    const write = async (name: string, more: string) => {
      const parameters = "1girl\nSteps: 2, Sampler: Euler, CFG scale: 3, Seed: 7, Size: 64x64, " +
        `Denoising strength: 0.5, ${more}, Version: v1.10`;
      await Deno.writeFile(`${folder}/${name}`, encodePng(image, { text: { parameters } }));
      return `${folder}/${name}`;
    };
    const masked = await write("masked.png", "Mask blur: 6, Masked area padding: 32");
    const alone = await create("--from", masked, "--json");
    assert.match(alone.err, /without the picture .*strength 0\.5, mask_blur 6, only_masked 32/);
    assert.equal(alone.recipe.strength, undefined);
    const drawn = await create("--from", masked, "--image", HEALTH, "--json");
    assert.match(drawn.err, /without the picture .*: mask_blur 6, only_masked 32/);
    assert.deepEqual([drawn.recipe.strength, drawn.recipe.source!.image], [0.5, HEALTH]);

    const twice = await write("twice.png", "Hires upscale: 1.5, Hires upscaler: R-ESRGAN 4x+");
    const larger = await create("--from", twice, "--json");
    assert.match(larger.err, /upscaler "R-ESRGAN 4x\+" is not in models\/upscaler/);
    assert.deepEqual(larger.recipe.hires, { scale: 1.5, strength: 0.5, upscaler: "lanczos" });
  });
});

Deno.test("--from last with a strength goes on from the picture, with new noise and what is said anew", async () => {
  const first = await create(
    "--prompt",
    "1girl, smile",
    "--width",
    "96",
    "--height",
    "64",
    ...QUICK,
  );
  const options = ["--strength", "0.5", "--steps", "4", "--json"];
  const next = await create("--from", first.path, ...options, "--prompt", "1boy");
  assert.deepEqual(next.recipe.source, { image: first.path });
  assert.deepEqual([next.recipe.width, next.recipe.height], [96, 64]);
  assert.deepEqual([next.recipe.prompt, next.recipe.strength], ["1boy", 0.5]);
  assert.notEqual(next.recipe.generator.seed, 5);
  const third = await create("--from", next.path, ...options);
  assert.deepEqual(third.recipe.source, { image: next.path });
  assert.equal(third.recipe.prompt, "1boy");
  const again = await create("--from", third.path, "--json");
  assert.deepEqual(again.bytes, third.bytes);
});

Deno.test("a picture without a recipe can be drawn from, and expanded", async () => {
  await inTempFolder(async (folder) => {
    const plain = `${folder}/plain.png`;
    const { image } = await decodePicture(await Deno.readFile(HEALTH));
    await Deno.writeFile(plain, encodePng(image));
    const from = await create("--from", plain, "--strength", "0.3", "--prompt", "1girl", ...QUICK);
    assert.equal(from.recipe.width, 256);
    const asked = ["--image", plain, "--expand", "right=32", "--prompt", "1girl"];
    const wide = await create(...asked, ...QUICK);
    assert.deepEqual([wide.recipe.width, wide.recipe.height], [288, 256]);
    assert.equal(wide.recipe.strength, 1);
    assert.match(wide.err, /expanded by right=32 to 288×256/);
    const { image: drawn } = await decodePicture(wide.bytes);
    for (let row = 0; row < 256; row++) {
      // 8 pixels of the picture are drawn anew with its edge, and 8 more fade.
      assert.deepEqual(
        drawn.data.subarray(3 * 288 * row, 3 * (288 * row + 240)),
        image.data.subarray(3 * 256 * row, 3 * (256 * row + 240)),
      );
    }
  });
});

Deno.test("a batch takes pictures from its own folder alone, and goes on where it was", async () => {
  await inTempFolder(async (folder) => {
    await Deno.copyFile(HEALTH, `${folder}/a.png`);
    const lines = [
      { prompt: "1girl", image: "a.png", strength: 0.5 },
      { prompt: "1girl", image: "../a.png" },
      { prompt: "1girl", strength: 0.5 },
    ];
    const path = `${folder}/create_image_test.jsonl`;
    await Deno.writeTextFile(path, lines.map((line) => JSON.stringify(line)).join("\n"));
    const { code, out } = await runTask("create", [
      "--batch",
      path,
      ...QUICK.slice(0, 2),
      "--json",
    ]);
    assert.equal(code, 1);
    const { pictures, failures, already } = JSON.parse(out);
    assert.equal(pictures.length + already, 1);
    assert.match(failures[0].message, /outside of the batch's folder/);
    assert.match(failures[1].message, /strength needs a picture/);
    const second = await runTask("create", ["--batch", path, ...QUICK.slice(0, 2), "--json"]);
    assert.equal(JSON.parse(second.out).already, 1);
    await Deno.remove(new URL("outputs/create_image_test", ROOT), { recursive: true });
  });
});

Deno.test("strengths, masks and files that are none are refused in one sentence", async () => {
  const asked = ["--prompt", "1girl", "--image", HEALTH, ...QUICK];
  await refused(/strength.*from 0 to 1/, ...asked, "--strength", "2");
  await refused(/strength.*from 0 to 1/, ...asked, "--strength", "-1");
  await refused(/cannot be read/, "--prompt", "1girl", "--image", "no/such.png");
  await refused(/strength needs a picture/, "--prompt", "1girl", "--strength", "0.5");
  await refused(/mask needs a picture/, "--prompt", "1girl", "--mask", HEALTH);
  for (const edges of ["sideways=3", "left=0", "left=16,left=32"]) {
    await refused(/edges with pixels, each once/, ...asked, "--expand", edges);
  }
});

Deno.test("a mask's place is drawn with all pixels of the model, and the picture keeps its size", async () => {
  await inTempFolder(async (folder) => {
    const mask = `${folder}/mask.png`;
    await Deno.writeFile(mask, encodePng(square()));
    const asked = ["--prompt", "1girl, smile", "--image", HEALTH, "--mask", mask];
    const words = ["--only-masked", "16", "--width", "128", "--height", "128"];
    const { bytes, recipe, path, err } = await create(...asked, ...words, ...QUICK);
    const [drawn, original] = await Promise.all(
      [bytes, await Deno.readFile(HEALTH)].map(async (file) => (await decodePicture(file)).image),
    );
    assert.match(err, /96×96 at 80,80, is drawn as 128×128/);
    assert.deepEqual([drawn!.width, drawn!.height], [256, 256]);
    assert.deepEqual([recipe.width, recipe.height, recipe.source!.onlyMasked], [128, 128, 16]);
    assert.equal(recipe.overlay, "original");
    // The mask, and its soft edge of eight pixels.
    const differs = drawn!.data.map((value, index) => Number(value !== original!.data[index]));
    const isNear = (index: number) => {
      const [row, column] = [Math.floor(index / 768), Math.floor(index / 3) % 256];
      return row >= 87 && row < 169 && column >= 87 && column < 169;
    };
    assert(differs.every((differs, index) => differs === 0 || isNear(index)));
    assert(differs.reduce((sum, one) => sum + one, 0) > 5000);

    const again = await create("--from", path, "--mask", mask, "--json");
    assert.deepEqual((await decodePicture(again.bytes)).image, drawn);
  });
});
