/**
 * Expected latents: PyTorch's, as tests/reference/image_to_image.py wrote them. What is pasted, refused
 * and combined is worked out here.
 */
import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { resizeImage, type RgbImage } from "../../src/image/mod.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { Upscaler } from "../../src/pipeline/parts/upscaler.ts";
import { NewBieImagePipeline } from "../../src/pipeline/pipeline.ts";
import type { GenerateOptions, PretrainedOptions, StepInfo } from "../../src/pipeline/types.ts";
import { SCHEDULER_NAMES, type SchedulerName } from "../../src/schedulers/mod.ts";
import { type Tensor, tensor } from "../../src/tensor.ts";
import { assertClose, fixture, readJson, readTensors } from "../_fixtures.ts";

interface Run {
  readonly name: string;
  readonly prompt: string;
  readonly steps: number;
  readonly strength: number;
  readonly guidance: number;
  readonly mask?: "binary" | "grey";
  readonly scheduler?: SchedulerName;
}

const load = (options: PretrainedOptions = {}) =>
  NewBieImagePipeline.fromPretrained(fixture("pipeline/tiny"), {
    log: () => {},
    vae: fixture("image_to_image/vae"),
    ...options,
  });

async function features(prompt: string) {
  const value = await readTensors(`${fixture("pipeline/tiny")}/io.safetensors`);
  return {
    promptEmbeds: value(`${prompt}.prompt_embeds`),
    pooledPromptEmbeds: value(`${prompt}.pooled`),
    negativePromptEmbeds: value(`${prompt}.negative_prompt_embeds`),
    negativePooledPromptEmbeds: value(`${prompt}.negative_pooled`),
  };
}

const { runs } = await readJson<{ runs: readonly Run[] }>(fixture("image_to_image/io.json"));

for (const run of runs) {
  Deno.test(`a picture, a mask and features of a prompt give PyTorch's latents: ${run.name}`, async () => {
    const value = await readTensors(fixture("image_to_image/io.safetensors"));
    await using pipe = await load();
    const { images: [latents], settings } = await pipe.generate({
      ...await features(run.prompt),
      image: value(`${run.name}.image`),
      latents: value(`${run.name}.noise`),
      strength: run.strength,
      numInferenceSteps: run.steps,
      guidanceScale: run.guidance,
      outputType: "latent",
      ...(run.mask === undefined ? {} : { maskImage: value(`${run.name}.mask`) }),
      ...(run.mask === "grey" ? { differentialMask: true } : {}),
      ...(run.scheduler === undefined ? {} : { scheduler: run.scheduler }),
    });
    assertClose(latents!, value(`${run.name}.final_latents`), 1e-4, run.name);
    assert.equal(settings.strength, run.strength);
    assert.equal(settings.prompt, undefined);
  });
}

/** A picture whose pixels all differ a little. */
function pictureOf(width: number, height: number): RgbImage {
  const data = Uint8ClampedArray.from(
    { length: 3 * width * height },
    (_, index) => 128 + 100 * Math.sin(index * 12.9898),
  );
  return { data, width, height };
}

/** White in the left half, black in the right. */
function leftHalf({ width, height }: RgbImage): RgbImage {
  const data = Uint8ClampedArray.from(
    { length: 3 * width * height },
    (_, index) => Math.floor(index / 3) % width < width / 2 ? 255 : 0,
  );
  return { data, width, height };
}

const image = pictureOf(64, 32);
const quick = {
  prompt: "1girl",
  numInferenceSteps: 4,
  generator: { seed: 7 },
  image,
} satisfies GenerateOptions;

/** The rows of columns [from, to). */
const columns = ({ data, width }: RgbImage, from: number, to: number) =>
  [...data].filter((_, index) => {
    const column = Math.floor(index / 3) % width;
    return column >= from && column < to;
  });

Deno.test("outside of the softly grown mask every pixel is the original's, with every sampler", async () => {
  await using pipe = await load();
  const maskImage = leftHalf(image);
  for (const scheduler of SCHEDULER_NAMES) {
    const options = { ...quick, maskImage, scheduler, maskBlur: 5, strength: 0.8 } as const;
    const { images: [drawn], settings } = await pipe.generate(options);
    assert.deepEqual(columns(drawn!, 37, 64), columns(image, 37, 64), scheduler);
    assert.notDeepEqual(columns(drawn!, 0, 32), columns(image, 0, 32), scheduler);
    assert.notDeepEqual(columns(drawn!, 33, 36), columns(image, 33, 36), scheduler);
    assert.deepEqual([settings.overlay, settings.maskBlur], ["original", 5]);
    // Without, the autoencoder's copy of the right half stays.
    const { images: [whole] } = await pipe.generate({ ...options, overlay: "none" });
    assert.notDeepEqual(columns(whole!, 37, 64), columns(image, 37, 64));
    assert.deepEqual(columns(whole!, 0, 32), columns(drawn!, 0, 32));
  }
});

Deno.test("a masked picture that is drawn twice has the enlarged original's pixels outside of the mask", async () => {
  await using pipe = await load();
  const maskImage = leftHalf(image);
  const network = fixture("upscaler/srvgg_x4");
  const twice = { width: 128, height: 64 };
  const enlarged = {
    lanczos: resizeImage(image, twice),
    latent: resizeImage(image, twice),
    [network]: resizeImage(
      await (await Upscaler.open(network, DTYPE_POLICIES.cpu)).upscale(image),
      twice,
    ),
  };
  for (const [upscaler, original] of Object.entries(enlarged)) {
    const hires = { scale: 2, strength: 0.6, upscaler };
    const options = { ...quick, maskImage, maskBlur: 2, strength: 0.8, hires };
    const { images: [drawn], settings } = await pipe.generate(options);
    assert.deepEqual([drawn!.width, drawn!.height], [128, 64]);
    assert.equal(settings.maskBlur, 2);
    // The mask, its edge of two pixels twice as large, and how far networks and filters see.
    assert.deepEqual(columns(drawn!, 84, 128), columns(original, 84, 128), upscaler);
    assert.notDeepEqual(columns(drawn!, 0, 64), columns(original, 0, 64), upscaler);
    const grey = { ...options, differentialMask: true, overlay: "none" } as const;
    const { images: [whole] } = await pipe.generate(grey);
    assert.notDeepEqual(columns(whole!, 84, 128), columns(original, 84, 128), upscaler);
  }
});

Deno.test("a batch gives what each of its pictures gives alone, with step cache and offload", async () => {
  const other: RgbImage = { ...image, data: image.data.map((value) => 255 - value) };
  const shared = { ...quick, stepCache: 0.5, numInferenceSteps: 8, strength: 0.9 } as const;
  const maskImage = leftHalf(image);
  for (const offload of ["none", "model", "sequential"] as const) {
    await using pipe = await load({ offload });
    const both = await pipe.generate({
      ...shared,
      prompt: ["1girl", "1boy"],
      image: [image, other],
      maskImage,
      generator: [{ seed: 7 }, { seed: 7 }],
    });
    for (const [index, prompt] of ["1girl", "1boy"].entries()) {
      const alone = await pipe.generate({
        ...shared,
        prompt,
        image: [image, other][index]!,
        maskImage,
      });
      assert.deepEqual(both.images[index], alone.images[0]);
    }
    const { evaluations } = both;
    assert(evaluations.foretold > 0, "nothing was foretold");
    // 8 − 0.8 steps remain: those from 0 on, twice.
    assert.equal(evaluations.total, 16);
  }
});

Deno.test("one picture for each prompt serves for all that are drawn of it", async () => {
  await using pipe = await load();
  const other: RgbImage = { ...image, data: image.data.map((value) => 255 - value) };
  const { images } = await pipe.generate({
    ...quick,
    prompt: ["1girl", "1boy"],
    image: [image, other],
    numImagesPerPrompt: 2,
    strength: 0.3,
    outputType: "latent",
  });
  const alone = await pipe.generate({
    ...quick,
    prompt: "1boy",
    image: other,
    strength: 0.3,
    generator: { seed: 9 },
    outputType: "latent",
  });
  assert.deepEqual(images[2], alone.images[0]);
  assert.notDeepEqual(images[3], images[2]);
});

Deno.test("strength 0 gives the picture as the autoencoder has it, and 1 what noise alone gives", async () => {
  await using pipe = await load();
  const steps: StepInfo[] = [];
  const onStep = (step: StepInfo) => void steps.push(step);
  const none = await pipe.generate({ ...quick, strength: 0, onStep });
  const [again] = await pipe.decodeImages(await pipe.encodeImage(image));
  assert.deepEqual(none.images[0], again);
  assert.deepEqual([steps.length, none.evaluations.total], [0, 0]);
  const { image: _, ...request } = quick;
  const all = await pipe.generate({ ...quick, strength: 1 });
  const { images } = await pipe.generate({ ...request, width: 64, height: 32 });
  assert.deepEqual(all.images, images);
});

Deno.test("steps are counted from where the run begins, and the default is a strength of 0.6", async () => {
  await using pipe = await load();
  const steps: [number, number][] = [];
  const { settings } = await pipe.generate({
    ...quick,
    numInferenceSteps: 10,
    onStep: ({ index, total }) => void steps.push([index, total]),
  });
  assert.deepEqual(steps, [0, 1, 2, 3, 4, 5].map((index) => [index, 6]));
  assert.equal(settings.strength, 0.6);
  assert.deepEqual([settings.width, settings.height], [64, 32]);
});

Deno.test("a sampler of a program's own that always begins at noise is refused by name", async () => {
  await using pipe = await load();
  const { scheduler } = pipe;
  const own = {
    ...scheduler,
    name: scheduler.name,
    shift: scheduler.shift,
    timesteps: (steps: number) => scheduler.timesteps(steps),
    evaluations: (steps: number) => scheduler.evaluations(steps),
    sample: (...[latents, steps, velocity, onStep, signal]: Parameters<typeof scheduler.sample>) =>
      scheduler.sample(latents, steps, velocity, onStep, signal),
  };
  await assert.rejects(pipe.generate({ ...quick, scheduler: own }), (error) => {
    assert(error instanceof RequestError);
    assert.match(error.message, /euler.*cannot begin in the middle/);
    return true;
  });
});

const mask = leftHalf(image);
const grey = (value: number): Tensor =>
  tensor(new Float32Array(64 * 32).fill(value), [1, 1, 32, 64]);
const speck = grey(0);
speck.data[3] = 1;

const REFUSED: readonly (readonly [string, Partial<GenerateOptions>, RegExp])[] = [
  ["a strength below 0", { strength: -1 }, /strength.*from 0 to 1/],
  ["a strength above 1", { strength: 2 }, /strength.*from 0 to 1/],
  ["a black mask", { maskImage: grey(0) }, /black everywhere/],
  ["a mask of dark greys", { maskImage: grey(0.4) }, /dark everywhere.*differentialMask/],
  ["a mask too small to be seen", { maskImage: speck }, /too small/],
  ["a mask of another size", { maskImage: pictureOf(32, 32) }, /32×32.*64×32/],
  ["a mask of other values", { maskImage: grey(2) }, /from 0 \(kept\) to 1/],
  ["another size than the picture's", { width: 128 }, /64×32.*128×32/],
  ["a picture of one pixel", { image: pictureOf(1, 1) }, /multiple of 16/],
  ["a picture of no usable size", { image: pictureOf(60, 32) }, /multiple of 16/],
  [
    "three pictures for two prompts",
    { image: [image, image, image], prompt: ["a", "b"] },
    /holds 3 pictures/,
  ],
  ["pictures of two sizes", { image: [image, pictureOf(32, 32)] }, /of one size/],
  ["text and features", { promptEmbeds: grey(1) }, /Both prompt and promptEmbeds/],
  ["pooled features alone", { pooledPromptEmbeds: grey(1) }, /without promptEmbeds/],
  ["a blur without a mask", { maskBlur: 4 }, /maskBlur needs a mask/],
];

for (const [what, options, words] of REFUSED) {
  Deno.test(`${what} is refused in both languages, before anything is computed`, async () => {
    await using pipe = await load();
    let steps = 0;
    await assert.rejects(
      pipe.generate({ ...quick, ...options, onStep: () => void steps++ }),
      (error) => {
        assert(error instanceof RequestError, String(error));
        assert.match(error.message, words);
        assert.match(error.explain("zh"), /[\u4e00-\u9fff]/);
        return true;
      },
    );
    assert.equal(steps, 0);
  });
}

Deno.test("what needs a picture is refused without one, and so is a mask without", async () => {
  await using pipe = await load();
  const { image: _, ...request } = quick;
  for (const options of [{ strength: 0.5 }, { maskImage: mask }]) {
    await assert.rejects(pipe.generate({ ...request, ...options }), /needs a picture/);
  }
});

Deno.test("features that encodePrompt made give what their texts give, and only one side may be text", async () => {
  await using pipe = await load();
  const prompt = ["1girl, blue_hair", "1boy"];
  const negativePrompt = "blurry, low_quality";
  const { image: _, prompt: _prompt, ...request } = { ...quick, width: 32, height: 32 };
  const embeds = await pipe.encodePrompt({ prompt, negativePrompt });
  const expected = await pipe.generate({ ...request, prompt, negativePrompt });
  assert.deepEqual((await pipe.generate({ ...request, ...embeds })).images, expected.images);
  const { promptEmbeds, pooledPromptEmbeds } = embeds;
  const half = { promptEmbeds, pooledPromptEmbeds, negativePrompt };
  assert.deepEqual((await pipe.generate({ ...request, ...half })).images, expected.images);
  const { negativePromptEmbeds, negativePooledPromptEmbeds, negativePromptAttentionMask } = embeds;
  const others = { negativePromptEmbeds, negativePooledPromptEmbeds, negativePromptAttentionMask };
  const mixed = await pipe.generate({ ...request, prompt, ...others });
  assert.deepEqual(mixed.images, expected.images);
  assert.deepEqual([mixed.settings.prompt, mixed.settings.negativePrompt], [prompt, undefined]);
});

Deno.test("features of another model, and missing ones, are refused", async () => {
  await using pipe = await load();
  const { image: _, prompt: _prompt, ...request } = quick;
  const wrong = tensor(new Float32Array(5 * 7), [1, 5, 7]);
  await assert.rejects(pipe.generate({ ...request, promptEmbeds: wrong }), /\[1, 5, 24\]/);
  const { promptEmbeds } = await features("xml");
  await assert.rejects(
    pipe.generate({ ...request, promptEmbeds }),
    /pooledPromptEmbeds must be \[1, 20\], but is absent/,
  );
  await assert.rejects(pipe.generate(request), /neither a prompt nor promptEmbeds/);
});

Deno.test("a mask given as a picture is read by its greys", async () => {
  await using pipe = await load();
  const options = { ...quick, strength: 1, outputType: "latent" } as const;
  const values = tensor(
    Float32Array.from({ length: 64 * 32 }, (_, at) => at % 64 < 32 ? 1 : 0),
    [1, 1, 32, 64],
  );
  assert.deepEqual(
    (await pipe.generate({ ...options, maskImage: mask })).images,
    (await pipe.generate({ ...options, maskImage: values })).images,
  );
  const { images: [drawn] } = await pipe.generate({ ...quick, maskImage: grey(1) });
  const { images: [free] } = await pipe.generate(quick);
  assert.deepEqual(drawn, free);
});
