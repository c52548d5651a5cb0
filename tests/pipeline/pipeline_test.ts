import assert from "node:assert/strict";
import { psnr } from "../../src/image/mod.ts";
import { NewBieImagePipeline } from "../../src/pipeline/pipeline.ts";
import type { GenerateOptions, StepInfo } from "../../src/pipeline/types.ts";
import { createGenerator } from "../../src/random/mod.ts";
import { tensor } from "../../src/tensor.ts";
import { assertClose, fixture, readJson, readTensors } from "../_fixtures.ts";

/** As tests/reference/pipeline.py wrote it. */
interface Reference {
  readonly prompts: readonly {
    readonly name: string;
    readonly prompt: string;
    readonly negativePrompt: string;
  }[];
  readonly runs: readonly {
    readonly name: string;
    readonly prompt: string;
    readonly height: number;
    readonly width: number;
    readonly numInferenceSteps: number;
    readonly guidanceScale: number;
    readonly renormCfg: number;
    readonly cfgTrunc: number | null;
  }[];
}

const silent = { log: () => {} };
const load = (name = "tiny") =>
  NewBieImagePipeline.fromPretrained(fixture(`pipeline/${name}`), silent);

/** A request that takes a fraction of a second. */
const quick: GenerateOptions & { outputType?: "image" } = {
  prompt: "1girl",
  height: 32,
  width: 32,
  numInferenceSteps: 2,
  generator: { seed: 7 },
};

for (const { name } of Deno.readDirSync(fixture("pipeline"))) {
  Deno.test(`a pipeline folder gives the references' values from text to picture: ${name}`, async () => {
    await using pipe = await load(name);
    const folder = fixture(`pipeline/${name}`);
    const value = await readTensors(`${folder}/io.safetensors`);
    const { prompts, runs } = await readJson<Reference>(`${folder}/io.json`);
    for (const { name, prompt, negativePrompt } of prompts) {
      const embeds = await pipe.encodePrompt({ prompt, negativePrompt });
      assertClose(embeds.promptEmbeds, value(`${name}.prompt_embeds`), 1e-5, name);
      assertClose(embeds.pooledPromptEmbeds, value(`${name}.pooled`), 1e-5, name);
      const negative = value(`${name}.negative_prompt_embeds`);
      assertClose(embeds.negativePromptEmbeds, negative, 1e-5, name);
      const negativePooled = value(`${name}.negative_pooled`);
      assertClose(embeds.negativePooledPromptEmbeds, negativePooled, 1e-5, name);
    }
    for (const { name, cfgTrunc, prompt: promptName, ...settings } of runs) {
      const { prompt, negativePrompt } = prompts.find(({ name }) => name === promptName)!;
      const { images: [latents] } = await pipe.generate({
        ...settings,
        ...(cfgTrunc === null ? {} : { cfgTrunc }),
        prompt,
        negativePrompt,
        latents: value(`${name}.latents`),
        outputType: "latent",
      });
      assertClose(latents!, value(`${name}.final_latents`), 1e-4, `${name}, latents`);
      const decoded = await pipe.decodeLatents(latents!);
      assertClose(decoded, value(`${name}.image`), 1e-4, `${name}, picture`);
    }
  });
}

Deno.test("prompts of different lengths in a batch give what each gives alone", async () => {
  await using pipe = await load();
  const prompt = ["1girl", "<character_1><n>miku</n><gender>1girl</gender></character_1>"];
  const together = await pipe.encodePrompt({ prompt });
  assert.equal(together.promptEmbeds.dims[0], 2);
  const latents = pipe.prepareLatents({
    batchSize: 2,
    height: 32,
    width: 48,
    generator: { seed: 1 },
  });
  const both = await pipe.predictVelocity({
    ...together,
    latents,
    timestep: [0.25, 0.75],
  });
  const size = latents.data.length / 2;
  for (const [index, text] of prompt.entries()) {
    const alone = await pipe.encodePrompt({ prompt: text });
    const half = (x: Float32Array) => x.slice(index * size, (index + 1) * size);
    const dims = [1, ...latents.dims.slice(1)];
    const velocity = await pipe.predictVelocity({
      ...alone,
      latents: tensor(half(latents.data), dims),
      timestep: [0.25, 0.75][index]!,
    });
    assertClose(tensor(half(both.data), dims), velocity, 1e-6, text);
  }
});

Deno.test("several pictures a prompt have seeds of their own, each of which makes it again", async () => {
  await using pipe = await load();
  const { images, seeds } = await pipe.generate({
    ...quick,
    prompt: ["1girl", "1boy"],
    numImagesPerPrompt: 2,
  });
  assert.deepEqual(seeds, [7, 8, 9, 10]);
  const again = await pipe.generate({ ...quick, prompt: "1boy", generator: { seed: 9 } });
  assert.deepEqual(again.images[0], images[2]);
  assert.notDeepEqual(images[0], images[1]);
});

Deno.test("prepareLatents draws torch.randn of the whole batch, or a sample each", async () => {
  await using pipe = await load();
  const size = { height: 32, width: 48 };
  for (const device of ["cpu", "cuda"] as const) {
    const generator = { seed: 3, device };
    const whole = pipe.prepareLatents({ ...size, batchSize: 3, generator });
    assert.deepEqual(whole.dims, [3, 16, 4, 6]);
    assert.deepEqual(whole.data, createGenerator(generator).randn(3 * 16 * 4 * 6));
    const each = pipe.prepareLatents({ ...size, batchSize: 2, generator: [generator, generator] });
    const one = createGenerator(generator).randn(16 * 4 * 6);
    assert.deepEqual(each.data, Float32Array.from([...one, ...one]));
  }
});

Deno.test("onStep sees every step of every picture, and its last latents are the result", async () => {
  await using pipe = await load();
  const steps: StepInfo[] = [];
  const { images } = await pipe.generate({
    ...quick,
    numImagesPerPrompt: 2,
    outputType: "latent",
    onStep: (step) => void steps.push(step),
  });
  assert.deepEqual(
    steps.map(({ index, total, imageIndex, imageCount }) => [index, total, imageIndex, imageCount]),
    [[0, 2, 0, 2], [1, 2, 0, 2], [0, 2, 1, 2], [1, 2, 1, 2]],
  );
  assert.deepEqual(steps[1]!.latents, images[0]);
  assert.deepEqual(steps[3]!.latents, images[1]);
});

Deno.test("a step cache asks the model less often and stays near the picture", async () => {
  await using pipe = await NewBieImagePipeline.fromPretrained(".", { log: () => {} });
  const request = {
    prompt: await Deno.readTextFile("models/demo/health_check.xml"),
    generator: { seed: 42 },
    numInferenceSteps: 28,
  };
  const usual = await pipe.generate(request);
  assert.deepEqual(usual.evaluations, { total: 28, foretold: 0 });
  assert.deepEqual((await pipe.generate({ ...request, stepCache: 0 })).images, usual.images);
  const cached = await pipe.generate({ ...request, stepCache: 0.2 });
  assert.equal(cached.evaluations.total, 28);
  // bench/results/step_cache.md measures two fifths of them, and about 50 dB.
  assert.ok(cached.evaluations.foretold >= 8, `${cached.evaluations.foretold} foretold`);
  const decibels = psnr(cached.images[0]!, usual.images[0]!);
  assert.ok(decibels > 40, `${decibels} dB`);
});

Deno.test("an aborted call stops between steps, and the pipeline can be used again", async () => {
  await using pipe = await load();
  const controller = new AbortController();
  const seen: number[] = [];
  const aborted = pipe.generate({
    ...quick,
    numInferenceSteps: 5,
    signal: controller.signal,
    onStep: ({ index }) => {
      seen.push(index);
      if (index === 1) controller.abort(new Error("enough"));
    },
  });
  await assert.rejects(aborted, /^Error: enough$/);
  assert.deepEqual(seen, [0, 1]);
  assert.equal((await pipe.generate(quick)).images.length, 1);
});

Deno.test("with offload, parts are loaded for their stage alone and give the same picture", async () => {
  await using kept = await load();
  const folder = fixture("pipeline/tiny");
  await using pipe = await NewBieImagePipeline.fromPretrained(folder, {
    ...silent,
    offload: "model",
  });
  const { images } = await pipe.generate(quick);
  assert.deepEqual(images, (await kept.generate(quick)).images);
});

Deno.test("raw text reaches the encoders as typed", async () => {
  await using pipe = await load();
  const prompt = "<general_tags>  <count>1girl,solo</count> </general_tags>";
  const canonical = "<general_tags>\n<count>1girl, solo</count>\n</general_tags>";
  const asTyped = await pipe.encodePrompt({ prompt, raw: true });
  const tidied = await pipe.encodePrompt({ prompt });
  assert.deepEqual(tidied, await pipe.encodePrompt({ prompt: canonical, raw: true }));
  assert.notDeepEqual(asTyped.promptEmbeds, tidied.promptEmbeds);
  const bare = await pipe.encodePrompt({ prompt, raw: true, systemPrompt: "" });
  assert(bare.promptEmbeds.dims[1]! < asTyped.promptEmbeds.dims[1]!);
  assert.deepEqual(bare.pooledPromptEmbeds, asTyped.pooledPromptEmbeds);
});

Deno.test("wrong requests are refused before anything runs, saying what is allowed", async () => {
  const refusals: [Partial<GenerateOptions>, RegExp][] = [
    [{ height: 100 }, /height is 100; .* a multiple of 16, such as 96/],
    [{ width: NaN }, /width is NaN; .* a multiple of 16/],
    [{ numInferenceSteps: 0 }, /1 to 1000/],
    [{ guidanceScale: NaN }, /guidanceScale/],
    [{ numImagesPerPrompt: 1.5 }, /numImagesPerPrompt is 1.5/],
    [{ generator: { seed: 0.5 } }, /seed/],
    [{ generator: [{ seed: 1 }, { seed: 2 }] }, /2 generators for 1 samples/],
    [{ latents: tensor(new Float32Array(16), [1, 16, 1, 1]) }, /latents must be \[1, 16, 4, 4\]/],
    [{ prompt: "<character_1><n>miku</character_1>" }, /line 1/],
    [{ prompt: [] }, /no prompt/i],
    [{ negativePrompt: ["a", "b"] }, /2 negative prompts for 1 prompts/],
    [{ prompt: 3 as unknown as string }, /prompt must be a text/],
    [{ height: 1024 }, /would be 32 × 1024 pixels; this model draws at most/],
    [{ generator: createGenerator({ seed: 1 }) }, /generator must be \{ seed/],
    [{ stepCache: -1 }, /stepCache is -1; expected/],
    [{ scheduler: "ddim" as "euler" }, /no scheduler "ddim"/],
  ];
  // Without its embedding table no prompt can be read: whoever got so far would say so.
  const folder = await copyOf("tiny");
  await using blind = await NewBieImagePipeline.fromPretrained(folder, {
    ...silent,
    offload: "model",
  });
  await Deno.remove(`${folder}/text_encoder/model.safetensors`);
  await assert.rejects(blind.generate(quick), /changed or removed/);
  for (const [wrong, message] of refusals) {
    const steps: StepInfo[] = [];
    const request = blind.generate({ ...quick, ...wrong, onStep: (step) => void steps.push(step) });
    await assert.rejects(request, (error: Error) => {
      assert.match(error.message, message);
      return true;
    });
    assert.deepEqual(steps, []);
  }
  await Deno.remove(folder, { recursive: true });
});

/** A copy of a pipeline folder, to be removed by the caller. */
async function copyOf(name: string): Promise<string> {
  const copy = await Deno.makeTempDir();
  for (const part of Deno.readDirSync(fixture(`pipeline/${name}`))) {
    if (!part.isDirectory) continue;
    await Deno.mkdir(`${copy}/${part.name}`);
    for (const file of Deno.readDirSync(fixture(`pipeline/${name}/${part.name}`))) {
      const original = fixture(`pipeline/${name}/${part.name}/${file.name}`);
      await Deno.copyFile(original, `${copy}/${part.name}/${file.name}`);
    }
  }
  return copy;
}

Deno.test("weights that change on disk are noticed before they are used", async () => {
  const folder = await copyOf("tiny");
  await using pipe = await NewBieImagePipeline.fromPretrained(folder, silent);
  await Deno.truncate(`${folder}/transformer/diffusion_pytorch_model.safetensors`, 1000);
  await assert.rejects(pipe.generate(quick), (error: Error) => {
    assert.equal(error.name, "ChangedFileError");
    assert.match(error.message, /transformer.*changed or removed/);
    return true;
  });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("weights changed in place are noticed though their time was set back, and in the midst of a picture", async () => {
  for (const isMidway of [false, true]) {
    const folder = await copyOf("tiny");
    const path = `${folder}/transformer/diffusion_pytorch_model.safetensors`;
    // Deno knows the time of a file's last change in whole seconds.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const change = async () => {
      const { atime, mtime, size } = await Deno.stat(path);
      {
        using file = await Deno.open(path, { write: true });
        await file.seek(size - 16, Deno.SeekMode.Start);
        await file.write(new Uint8Array(16).fill(0x3c));
      }
      await Deno.utime(path, atime!, mtime!);
    };
    await using pipe = await NewBieImagePipeline.fromPretrained(folder, {
      ...silent,
      offload: "sequential",
    });
    if (!isMidway) await change();
    const onStep = async ({ index }: { index: number }) => {
      if (isMidway && index === 0) await change();
    };
    await assert.rejects(
      pipe.generate({ ...quick, numInferenceSteps: 2, onStep }),
      /transformer.*changed or removed/,
    );
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a disposed pipeline refuses to work", async () => {
  const pipe = await load();
  await pipe[Symbol.asyncDispose]();
  await assert.rejects(pipe.generate(quick), /disposed/);
  await assert.rejects(pipe.encodePrompt({ prompt: "1girl" }), /disposed/);
});

Deno.test("given latents decide the picture's size, and must agree with what else is said", async () => {
  await using pipe = await load();
  const latents = pipe.prepareLatents({ height: 32, width: 48, generator: { seed: 1 } });
  assert.equal(pipe.prepareLatents({ latents }), latents);
  const { images: [image] } = await pipe.generate({
    prompt: "1girl",
    latents,
    numInferenceSteps: 1,
  });
  assert.deepEqual([image!.height, image!.width], [32, 48]);
  assert.throws(() => pipe.prepareLatents({ latents, height: 64 }), /latents must be/);
  assert.throws(
    () => pipe.prepareLatents({ latents: { ...latents, dims: [1, 16, 8, 8] } }),
    /holds/,
  );
});

Deno.test("the features of a batch remember their padding", async () => {
  await using pipe = await load();
  const prompt = ["1girl", "1girl, solo, blue_hair, long_hair"];
  const { promptEmbeds, pooledPromptEmbeds } = await pipe.encodePrompt({ prompt });
  const latents = pipe.prepareLatents({
    batchSize: 2,
    height: 32,
    width: 32,
    generator: { seed: 1 },
  });
  const both = await pipe.predictVelocity({
    latents,
    timestep: 0.5,
    promptEmbeds,
    pooledPromptEmbeds,
  });
  const alone = await pipe.encodePrompt({ prompt: prompt[0]! });
  const dims = [1, ...latents.dims.slice(1)];
  const first = (x: Float32Array) => tensor(x.slice(0, x.length / 2), dims);
  const velocity = await pipe.predictVelocity({
    latents: first(latents.data),
    timestep: 0.5,
    promptEmbeds: alone.promptEmbeds,
    pooledPromptEmbeds: alone.pooledPromptEmbeds,
  });
  assertClose(first(both.data), velocity, 1e-6, "the shorter prompt");
});

Deno.test("a seed at the end of its range starts again at 0", async () => {
  await using pipe = await load();
  const last = 2n ** 64n - 1n;
  const { seeds } = await pipe.generate({
    ...quick,
    numImagesPerPrompt: 2,
    generator: { seed: last },
  });
  assert.deepEqual(seeds, [last, 0]);
});

Deno.test("an abort before the first step is heeded while texts are read", async () => {
  await using pipe = await load();
  await assert.rejects(
    pipe.generate({ ...quick, signal: AbortSignal.abort(new Error("at once")) }),
    /at once/,
  );
});

Deno.test("a prompt that is too long is cut, and the log says so", async () => {
  const lines: string[] = [];
  const folder = fixture("pipeline/tiny");
  await using pipe = await NewBieImagePipeline.fromPretrained(folder, {
    log: (line) => void lines.push(line),
  });
  const { axes_lens } = await readJson<{ axes_lens: number[] }>(
    `${folder}/transformer/config.json`,
  );
  const longest = Math.min(512, axes_lens[0]! - 1);
  const prompt = new Array(600).fill("blue_hair").join(", ");
  const { promptEmbeds } = await pipe.encodePrompt({ prompt, raw: true });
  assert.equal(promptEmbeds.dims[1], longest);
  assert.match(lines.at(-1)!, new RegExp(`tokens; .* reads the first \\d+`));
  assert(lines.some((line) => line.includes(`Gemma 3 reads the first ${longest}`)));
});
