/** Pictures in every format, and pictures that other programs made. */
import assert from "node:assert/strict";
import { decodePicture, encodePictureAs, pictureFormat } from "../../src/image/mod.ts";
import { readRecipe } from "../../src/recipe/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { ROOT, runTask } from "./_task_command.ts";

const SMALL = ["--steps", "1", "--width", "64", "--height", "48", "--json"];

async function create(...args: readonly string[]) {
  const { code, out, err } = await runTask("create", args);
  assert.equal(code, 0, err);
  const { pictures: [picture] } = JSON.parse(out);
  const bytes = await Deno.readFile(new URL(picture.path, ROOT));
  return { path: picture.path as string, bytes, recipe: readRecipe(bytes), err };
}

for (const [ending, format] of [["jpg", "jpeg"], ["webp", "webp"], ["avif", "avif"]] as const) {
  Deno.test(`--output x.${ending} writes ${format}, from which the picture is made again`, async () => {
    const name = `create_from_test.${ending}`;
    const first = await create(
      "--prompt",
      "1girl, 初音",
      "--seed",
      "9",
      "--output",
      name,
      ...SMALL,
    );
    assert(new RegExp(`/create_from_test(-\\d+)?\\.${ending}$`).test(first.path), first.path);
    assert.equal(pictureFormat(first.bytes), format);
    const { image } = await decodePicture(first.bytes);
    assert.deepEqual([image.width, image.height], [64, 48]);
    const again = await create("--from", first.path, "--output", name, "--json");
    assert.deepEqual(again.bytes, first.bytes);
  });
}

Deno.test("other endings are refused by their name, before a model is loaded", async () => {
  for (const ending of ["gif", "bmp", "tiff", "jxl", "txt"]) {
    const { code, err } = await runTask("create", ["--prompt", "a", "--output", `x.${ending}`]);
    assert.equal(code, 2);
    assert(err.includes(`not as ${ending}`), err);
  }
});

const PARAMETERS = "1girl, lantern\nNegative prompt: lowres\n" +
  "Steps: 2, Sampler: Euler a, CFG scale: 4.5, Seed: 77, Size: 70x49, Model: other";

Deno.test("a picture of another program is drawn anew, and what was not taken over is told", async () => {
  await inTempFolder(async (folder) => {
    const pixel = { data: new Uint8ClampedArray(3), width: 1, height: 1 };
    const told: Readonly<Record<string, RegExp>> = {
      en: /Not taken over: Sampler "Euler a"; Model "other"/,
      zh: /未能沿用：Sampler "Euler a"; Model "other"/,
    };
    for (const format of ["png", "jpeg"] as const) {
      const path = `${folder}/x.${format}`;
      const text = { parameters: PARAMETERS };
      await Deno.writeFile(path, await encodePictureAs(pixel, format, { text }));
      for (const [language, expected] of Object.entries(told)) {
        const { recipe, err } = await create("--from", path, "--json", "--lang", language);
        assert.match(err, expected);
        assert.match(err, /1girl, lantern/);
        assert.equal(recipe.prompt, "1girl, lantern");
        assert.equal(recipe.negativePrompt, "lowres");
        assert.deepEqual(
          [recipe.generator.seed, recipe.numInferenceSteps, recipe.guidanceScale],
          [77, 2, 4.5],
        );
        // The nearest size that the model can draw.
        assert.deepEqual([recipe.width, recipe.height], [64, 48]);
      }
    }
  });
});
