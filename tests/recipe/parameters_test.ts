/**
 * The text `parameters`, read as AUTOMATIC1111's web UI reads it: its regular expression, and its
 * rules for lines, sizes and quotes (`parse_generation_parameters`, modules/infotext_utils.py).
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { recipeText } from "../../src/recipe/mod.ts";
import type { Recipe } from "../../src/recipe/mod.ts";
import { SCHEDULER_NAMES, type SchedulerName } from "../../src/schedulers/mod.ts";
import { RECIPE } from "./_recipe.ts";

function webUiReads(text: string): Record<string, string> {
  const lines = text.trim().split("\n");
  const last = lines.pop()!;
  const read: Record<string, string> = { prompt: "", negative: "" };
  let part = "prompt";
  for (let line of lines) {
    line = line.trim();
    if (line.startsWith("Negative prompt:")) {
      part = "negative";
      line = line.slice("Negative prompt:".length).trim();
    }
    read[part] += read[part] === "" ? line : `\n${line}`;
  }
  const parameters = [
    ...last.matchAll(/\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/gu),
  ];
  assert(parameters.length >= 3, "with fewer parameters the line would be part of the prompt");
  for (const [, key, value] of parameters) {
    const text = /^".*"$/s.test(value!) ? JSON.parse(value!) : value!;
    const size = /^(\d+)x(\d+)$/.exec(text);
    if (size === null) read[key!] = text;
    else [read[`${key}-1`], read[`${key}-2`]] = [size[1]!, size[2]!];
  }
  return read;
}

const parametersOf = (recipe: Recipe) => recipeText(recipe).parameters!;

Deno.test("the web UI reads every parameter", () => {
  assert.deepEqual(webUiReads(parametersOf(RECIPE)), {
    prompt: "<character_1>\n<n>miku</n>\n</character_1>",
    negative: "blurry, low quality",
    Steps: "30",
    Sampler: "Euler",
    "CFG scale": "7",
    Seed: "42",
    "Size-1": "256",
    "Size-2": "192",
    "Model hash": "aaaaaaaaaa",
    Model: "demo/next-dit",
    "VAE hash": "dddddddddd",
    VAE: "demo/vae",
    "Text encoder hash": "bbbbbbbbbb",
    "Text encoder": "demo/transformer",
    "CLIP hash": "cccccccccc",
    CLIP: "demo/clip_model",
    Shift: "6",
    RNG: "CPU",
    Version: "NewBie toolkit 0.1.0",
  });
});

Deno.test("prompt, negative prompt and parameters stand where every reader looks", () => {
  const lines = parametersOf(RECIPE).split("\n");
  assert.deepEqual(lines.slice(0, 4), [
    "<character_1>",
    "<n>miku</n>",
    "</character_1>",
    "Negative prompt: blurry, low quality",
  ]);
  assert.match(
    lines[4]!,
    /^Steps: 30, Sampler: Euler, CFG scale: 7, Seed: 42, Size: 256x192, Model hash: a{10}, /,
  );
  assert.equal(lines.length, 5);
});

Deno.test("without prompts there is the last line alone", () => {
  assert.match(parametersOf({ ...RECIPE, prompt: "", negativePrompt: "" }), /^Steps: 30, .*$/);
});

/** Lines as the web UI keeps them: without spaces at their ends, and none that misleads. */
const prompts = fc.array(fc.string({ unit: "grapheme", minLength: 1 }), { minLength: 1 })
  .map((lines) => lines.map((line) => line.trim()).join("\n").trim())
  .filter((text) => text !== "" && !text.includes("\0") && !/[\r\u2028\u2029]/.test(text));

Deno.test("the web UI reads prompts and names of any Unicode", () => {
  fc.assert(fc.property(prompts, prompts, prompts, (prompt, negativePrompt, name) => {
    const models = { ...RECIPE.models, vae: { ...RECIPE.models.vae, name } };
    const read = webUiReads(parametersOf({ ...RECIPE, prompt, negativePrompt, models }));
    assert.equal(read.prompt, prompt);
    assert.equal(read.negative, negativePrompt);
    const size = /^(\d+)x(\d+)$/.exec(name);
    if (size === null) assert.equal(read.VAE, name);
    assert.equal(read.Version, "NewBie toolkit 0.1.0");
  }));
});

Deno.test("ends of line of other systems do not break the last line", () => {
  const models = { ...RECIPE.models, vae: { ...RECIPE.models.vae, name: "a\rb" } };
  const read = webUiReads(parametersOf({ ...RECIPE, prompt: "a\r\nb\rc", models }));
  assert.equal(read.prompt, "a\nb\nc");
  assert.equal(read.VAE, "a\rb");
  assert.equal(read.Steps, "30");
});

Deno.test("a generator that imitates a GPU is named so", () => {
  const recipe: Recipe = { ...RECIPE, generator: { seed: 2n ** 64n - 1n, device: "cuda" } };
  const read = webUiReads(parametersOf(recipe));
  assert.equal(read.Seed, "18446744073709551615");
  assert.equal(read.RNG, "NV");
});

Deno.test("a sampler has the name that web UIs know it by", () => {
  // `samplers_k_diffusion` in modules/sd_samplers_kdiffusion.py; the last two are not among them.
  const known: Readonly<Record<SchedulerName, string | undefined>> = {
    euler: "Euler",
    heun: "Heun",
    "dpm-solver++": "DPM++ 2M",
    midpoint: undefined,
    res_multistep: undefined,
  };
  const written = SCHEDULER_NAMES.map((name) =>
    webUiReads(parametersOf({ ...RECIPE, scheduler: { name, shift: 6 } })).Sampler
  );
  for (const [index, name] of SCHEDULER_NAMES.entries()) {
    const expected = known[name];
    if (expected === undefined) assert(!Object.values(known).includes(written[index]));
    else assert.equal(written[index], expected);
  }
  assert.equal(new Set(written).size, SCHEDULER_NAMES.length);
});
