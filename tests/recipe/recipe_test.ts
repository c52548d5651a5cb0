import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import {
  decodePng,
  encodePictureAs,
  encodePng,
  readPictureText,
  type RgbImage,
} from "../../src/image/mod.ts";
import { NewBieImagePipeline } from "../../src/mod.ts";
import {
  currentVersions,
  generateOptions,
  identifyModels,
  readRecipe,
  type Recipe,
  RecipeError,
  type RecipeProblem,
  recipeText,
} from "../../src/recipe/mod.ts";
import { SCHEDULER_NAMES } from "../../src/schedulers/mod.ts";
import { findCheckpoint } from "../../src/pipeline/checkpoint/find_checkpoint.ts";
import { RECIPE } from "./_recipe.ts";

const PIXEL: RgbImage = { data: Uint8ClampedArray.of(1, 2, 3), width: 1, height: 1 };

const unicode = fc.string({ unit: "binary" });
const positive = fc.integer({ min: 1, max: 1000 });
const within = (min: number, max: number) =>
  fc.double({ min, max, noNaN: true }).filter((x) => !Object.is(x, -0));
const name = fc.string({ unit: "binary", minLength: 1 });
const model = fc.record({
  name,
  sha256: fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 64, maxLength: 64 }),
}, { noNullPrototype: true });
const options = { noNullPrototype: true } as const;

const recipes: fc.Arbitrary<Recipe> = fc.record({
  prompt: unicode,
  negativePrompt: unicode,
  systemPrompt: unicode,
  raw: fc.boolean(),
  generator: fc.record({
    seed: fc.oneof(
      fc.maxSafeInteger(),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
      fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
    ),
    device: fc.constantFrom("cpu", "cuda"),
    multiProcessorCount: positive,
    maxThreadsPerMultiProcessor: positive,
  }, { requiredKeys: ["seed", "device"], ...options }),
  numInferenceSteps: positive,
  guidanceScale: within(0, 1000),
  cfgTrunc: within(-Number.MAX_VALUE, Number.MAX_VALUE),
  renormCfg: within(0, Number.MAX_VALUE),
  stepCache: within(Number.MIN_VALUE, Number.MAX_VALUE),
  scheduler: fc.record({
    name: fc.constantFrom(...SCHEDULER_NAMES),
    shift: within(0.001, 1000),
  }, options),
  width: positive,
  height: positive,
  models: fc.record({
    layout: fc.constantFrom("toolkit", "diffusers", "comfyui"),
    transformer: model,
    textEncoder: model,
    clipModel: model,
    vae: model,
  }, { requiredKeys: ["layout", "transformer", "textEncoder", "vae"], ...options }),
  provider: name,
  dtype: name,
  versions: fc.record({ toolkit: name, deno: name, onnxruntime: name }, options),
}, {
  requiredKeys: [
    "prompt",
    "negativePrompt",
    "generator",
    "numInferenceSteps",
    "guidanceScale",
    "cfgTrunc",
    "renormCfg",
    "scheduler",
    "width",
    "height",
    "models",
    "provider",
    "dtype",
    "versions",
  ],
  ...options,
});

Deno.test("any recipe comes back from a PNG, in any Unicode and with any seed", () => {
  fc.assert(fc.property(recipes, (recipe) => {
    assert.deepEqual(readRecipe(encodePng(PIXEL, { text: recipeText(recipe) })), recipe);
  }));
});

Deno.test("half a surrogate pair and U+0000 in a prompt come back", () => {
  const recipe = { ...RECIPE, prompt: "a\ud800b\0c\r\nd" };
  assert.deepEqual(readRecipe(encodePng(PIXEL, { text: recipeText(recipe) })), recipe);
});

Deno.test("guidance that is never switched off is a number in JSON too", () => {
  const { cfgTrunc } = readRecipe(recipeText({ ...RECIPE, cfgTrunc: Infinity }));
  assert(cfgTrunc > 1 && Number.isFinite(cfgTrunc));
});

function problemOf(source: Parameters<typeof readRecipe>[0]): RecipeProblem {
  try {
    readRecipe(source);
  } catch (error) {
    assert(error instanceof RecipeError);
    assert.equal(error.explain("en"), error.message);
    assert.match(error.explain("zh"), /图片/);
    return error.problem;
  }
  throw new Error("a recipe was read");
}

Deno.test("a picture without a recipe is told from one of another program", () => {
  assert.deepEqual(problemOf(encodePng(PIXEL)), { kind: "none" });
  assert.deepEqual(problemOf({ Software: "an editor", prompt: "no graph" }), { kind: "none" });

  const problem = problemOf({ parameters: "1girl\nSteps: 20, Sampler: Euler, Seed: 9" });
  assert.deepEqual(problem, {
    kind: "foreign",
    recipe: {
      program: "AUTOMATIC1111",
      settings: {
        prompt: "1girl",
        numInferenceSteps: 20,
        scheduler: { name: "euler" },
        generator: { seed: 9 },
      },
      left: [],
    },
  });
  for (const language of ["en", "zh"] as const) {
    const text = new RecipeError(problem).explain(language);
    assert.match(text, /AUTOMATIC1111.*["“]1girl["”].*--from/s);
  }
  const graph = problemOf({ prompt: '{"3": {"class_type": "KSampler", "inputs": {}}}' });
  assert(graph.kind === "foreign" && graph.recipe.program === "ComfyUI");
  assert.match(new RecipeError(graph).explain("en"), /no prompt.*--prompt/);
});

Deno.test("a recipe is read whatever the rest of the picture is", () => {
  const png = encodePng(PIXEL, { text: recipeText(RECIPE) });
  const chunk = (type: string, data: string) => {
    const bytes = new TextEncoder().encode(`${type}${data}`);
    const whole = new Uint8Array(bytes.length + 8);
    new DataView(whole.buffer).setUint32(0, bytes.length - 4);
    whole.set(bytes, 4);
    new DataView(whole.buffer).setUint32(bytes.length + 4, crc32(bytes));
    return whole;
  };
  const header = 8 + 25;
  const other = [
    chunk("zTXt", "Raw profile type exif\0\0not deflated"),
    chunk("iTXt", "parameters"),
    chunk("tEXt", "x".repeat(100)),
  ];
  const broken = Uint8Array.from([
    ...png.slice(0, header),
    ...other.flatMap((bytes) => [...bytes]),
    ...png.slice(header),
  ]);
  assert.deepEqual(readRecipe(broken), RECIPE);
  // Sixteen bits, interlaced: nothing here decodes the pixels.
  assert.deepEqual(readRecipe(png.with(24, 16).with(28, 1)), RECIPE);
  assert.deepEqual(readRecipe(png.subarray(0, png.length - 20)), RECIPE);
  // The recipe itself is another matter.
  const damaged = png.with(String.fromCharCode(...png).indexOf('"version"'), 65);
  const problem = problemOf(damaged);
  assert.equal(problem.kind, "damaged");
});

for (const format of ["jpeg", "webp", "avif"] as const) {
  Deno.test(`a recipe comes back from ${format}, and the web UI finds its parameters`, async () => {
    const recipe = { ...RECIPE, prompt: "1girl, 初音ミク <&>\nsecond line" };
    const bytes = await encodePictureAs(PIXEL, format, { text: recipeText(recipe) });
    assert.deepEqual(readRecipe(bytes), recipe);
    const { parameters } = readPictureText(bytes).text;
    assert.equal(parameters, recipeText(recipe).parameters);
  });
}

const { newbie: JSON_TEXT } = recipeText(RECIPE) as { newbie: string };

function changed(change: (json: Record<string, unknown>) => void): { newbie: string } {
  const json = JSON.parse(JSON_TEXT);
  change(json);
  return { newbie: JSON.stringify(json) };
}

Deno.test("a recipe of a later version is refused as such, whatever else it says", () => {
  assert.deepEqual(problemOf({ newbie: '{"version":2,"unheard":"of"}' }), {
    kind: "newer",
    version: 2,
    known: 1,
  });
});

Deno.test("a damaged recipe is refused with each place that is wrong", () => {
  const details = (source: { newbie: string }) => {
    const problem = problemOf(source);
    assert(problem.kind === "damaged");
    for (const chinese of problem.chinese) assert.match(chinese, /\p{Script=Han}/u);
    return problem.details.join("\n");
  };
  assert.match(details({ newbie: JSON_TEXT.slice(0, -1) }), /JSON/);
  assert.match(details({ newbie: "null" }), /expected object/i);
  assert.match(details(changed((json) => delete json.version)), /^version: /);
  const many = details(changed((json) => {
    delete json.prompt;
    json.width = 12.5;
    json.generator = { seed: 42, device: "tpu" };
    json.extra = 1;
  }));
  for (const place of [/^prompt: /m, /^width: /m, /^generator\.seed: /m, /^generator\.device: /m]) {
    assert.match(many, place);
  }
  assert.match(many, /extra/);
  const settings = details({
    newbie: JSON_TEXT.replace('"shift":6', '"shift":1e999').replace(
      '"42"',
      '"18446744073709551616"',
    ),
  });
  assert.match(
    settings,
    /^scheduler\.shift: expected a number from 0\.001 to 1000, found Infinity$/m,
  );
  assert.match(settings, /^generator\.seed: .*, found "18446744073709551616"$/m);
  const { models } = JSON.parse(JSON_TEXT);
  models.vae.sha256 = "A".repeat(64);
  assert.match(details(changed((json) => json.models = models)), /^models\.vae\.sha256: /);
});

Deno.test("the versions are those of deno.json and of the packages in use", async () => {
  const config = JSON.parse(await Deno.readTextFile("deno.json"));
  const { toolkit, onnxruntime } = currentVersions();
  assert.equal(toolkit, config.version);
  const { default: { version } } = await import(
    "../../node_modules/onnxruntime-node/package.json",
    {
      with: { type: "json" },
    }
  );
  assert.equal(onnxruntime, version);
});

Deno.test("a picture's recipe makes the picture again, bit for bit", async () => {
  await using pipe = await NewBieImagePipeline.fromPretrained("models/demo", { log: () => {} });
  const recipe: Recipe = {
    ...RECIPE,
    prompt: "<character_1><n>miku</n><appearance>blue_hair</appearance></character_1>",
    generator: { seed: 2n ** 64n - 1n, device: "cuda" },
    numInferenceSteps: 3,
    guidanceScale: 4.5,
    renormCfg: 0.75,
    scheduler: { name: "dpm-solver++", shift: 3.25 },
    width: 64,
    height: 96,
    models: await identifyModels(await findCheckpoint("models/demo")),
    versions: currentVersions(),
  };
  const { images: [first] } = await pipe.generate({ ...generateOptions(recipe) });
  const png = encodePng(first as RgbImage, { text: recipeText(recipe) });

  const again = readRecipe(png);
  const { images: [second] } = await pipe.generate(generateOptions(again));
  assert.deepEqual(second, decodePng(png).image);
  const text = recipeText({ ...again, versions: currentVersions() });
  assert.deepEqual(encodePng(second as RgbImage, { text }), png);

  // A recipe that did not reach the pipeline would make the same picture whatever it says.
  for (const other of [{ guidanceScale: 4 }, { scheduler: { ...recipe.scheduler, shift: 3 } }]) {
    const { images: [image] } = await pipe.generate(generateOptions({ ...again, ...other }));
    assert.notDeepEqual(image, first);
  }
});
