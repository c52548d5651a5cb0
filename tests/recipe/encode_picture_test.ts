/** What `generate` says of its settings, and pictures that a program writes with their recipes. */
import assert from "node:assert/strict";
import { decodePng } from "../../src/image/mod.ts";
import { NewBieImagePipeline, RequestError } from "../../src/mod.ts";
import { encodePicture, generateOptions, readRecipe } from "../../src/recipe/mod.ts";
import { SETTINGS } from "../../src/settings/mod.ts";

const load = () => NewBieImagePipeline.fromPretrained("models/demo", { log: () => {} });
const SMALL = { numInferenceSteps: 1, height: 32, width: 48 } as const;

Deno.test("generate tells every setting that was left open", async () => {
  await using pipe = await load();
  const { settings, seeds } = await pipe.generate({ prompt: "1girl", ...SMALL });
  assert.deepEqual(settings, {
    prompt: "1girl",
    negativePrompt: "",
    raw: false,
    ...SMALL,
    // The demo model's own.
    guidanceScale: SETTINGS.guidanceScale.demo,
    cfgTrunc: 100,
    renormCfg: 1,
    stepCache: 0,
    scheduler: { name: "euler", shift: 6, schedule: "uniform" },
    generator: { device: "cpu", seed: seeds[0] },
    numImagesPerPrompt: 1,
  });
});

Deno.test("what generate says it was asked makes the same pictures again", async () => {
  await using pipe = await load();
  const first = await pipe.generate({
    prompt: ["1girl", "<character_1><n>rin</n></character_1>"],
    negativePrompt: "blurry",
    numImagesPerPrompt: 2,
    generator: { seed: 7, device: "cuda" },
    scheduler: { name: "heun", shift: 3, schedule: "uniform" },
    ...SMALL,
  });
  assert.equal(first.images.length, 4);
  assert.deepEqual((await pipe.generate(first.settings)).images, first.images);
});

Deno.test("each picture of a call is written with the recipe that makes it again alone", async () => {
  await using pipe = await load();
  const result = await pipe.generate({
    prompt: ["1girl", "1boy"],
    negativePrompt: ["", "blurry"],
    numImagesPerPrompt: 2,
    generator: { seed: -2 },
    scheduler: { shift: 4 },
    ...SMALL,
  });
  const prompts = ["1girl", "1girl", "1boy", "1boy"];
  // torch.Generator.manual_seed counts negative seeds from 2⁶⁴ downwards.
  const seeds = [2n ** 64n - 2n, 2n ** 64n - 1n, 0, 1];
  for (const [index, image] of result.images.entries()) {
    const png = await encodePicture(pipe, result, { index, text: { note: "mine" } });
    assert.equal(decodePng(png).text["note"], "mine");
    assert.deepEqual(decodePng(png).image, image);
    const recipe = readRecipe(png);
    assert.equal(recipe.prompt, prompts[index]);
    assert.equal(recipe.negativePrompt, index < 2 ? "" : "blurry");
    assert.deepEqual(recipe.generator, { device: "cpu", seed: seeds[index] });
    assert.deepEqual(recipe.scheduler, { name: "euler", shift: 4 });
    const { images: [again] } = await pipe.generate(generateOptions(recipe));
    assert.deepEqual(again, image);
  }
});

Deno.test("a picture whose noise was given has no recipe, and the error says what to do", async () => {
  await using pipe = await load();
  const latents = pipe.prepareLatents({ ...SMALL, generator: { seed: 1 } });
  const result = await pipe.generate({ prompt: "1girl", numInferenceSteps: 1, latents });
  assert.deepEqual([result.settings.width, result.settings.height], [48, 32]);
  assert.equal(result.settings.generator, undefined);
  await assert.rejects(
    encodePicture(pipe, result),
    (error: RequestError) =>
      error instanceof RequestError && /generator/.test(error.message) &&
      /generator/.test(error.explain("zh")),
  );
  await assert.rejects(encodePicture(pipe, result, { index: 1 }), /no picture 1/);
});
