/**
 * What other programs write, in the forms that their own sources and pictures show: the fields of
 * AUTOMATIC1111's `create_infotext`, ComfyUI's saved graphs, NovelAI's `Comment`, InvokeAI's
 * `invokeai_metadata` and `sd-metadata`, SwarmUI's `sui_image_params`, Fooocus's scheme.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readPictureText } from "../../src/image/mod.ts";
import { type ForeignRecipe, readForeignRecipe } from "../../src/recipe/mod.ts";
import { fixture } from "../_fixtures.ts";

/** What was read, with the settings beside the rest; `seed` and `scheduler` stand for their own. */
function read(text: Readonly<Record<string, string>>) {
  const recipe = readForeignRecipe(text);
  assert(recipe !== undefined);
  const { program, settings: { generator, scheduler, ...settings }, left } = recipe;
  return {
    program,
    ...settings,
    ...(generator?.seed === undefined ? {} : { seed: generator.seed }),
    ...(scheduler?.name === undefined ? {} : { scheduler: scheduler.name }),
    left,
  };
}

const namesLeft = ({ left }: Pick<ForeignRecipe, "left">) => left.map(({ name }) => name);

Deno.test("AUTOMATIC1111's parameters are taken over, and what is left is named", () => {
  // The example in the documentation of AUTOMATIC1111's parse_generation_parameters, shortened.
  const parameters = "girl with an artist's beret, determined,\n((eyeshadow))\n" +
    "Negative prompt: ugly, [blurry]\nlow quality\n" +
    "Steps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 965400086, Size: 512x768, " +
    'Model hash: 45dee52b, Note: "a, b: \\"c\\"", Hashes: {"vae": "1", "model": "2"}, ' +
    "Denoising strength: 0.55, Schedule type: Karras, Version: v1.10";
  assert.deepEqual(read({ parameters }), {
    program: "AUTOMATIC1111",
    prompt: "girl with an artist's beret, determined,\n((eyeshadow))",
    negativePrompt: "ugly, [blurry]\nlow quality",
    numInferenceSteps: 20,
    guidanceScale: 7.5,
    seed: 965400086,
    strength: 0.55,
    width: 512,
    height: 768,
    left: [
      { name: "Sampler", value: "Euler a" },
      { name: "Note", value: 'a, b: "c"' },
      { name: "Schedule type", value: "Karras" },
    ],
  });
});

Deno.test("samplers are known by the names of each program, without their schedules", () => {
  const samplers: readonly (readonly [string, string | undefined, string[]])[] = [
    ["Euler", "euler", []],
    ["DPM++ 2M", "dpm-solver++", []],
    ["DPM++ 2M Karras", "dpm-solver++", ["Schedule type"]],
    ["Heun", "heun", []],
    ["DPM++ 2M SDE", undefined, ["Sampler"]],
  ];
  for (const [name, scheduler, left] of samplers) {
    const recipe = read({ parameters: `a\nSteps: 2, Sampler: ${name}, Seed: 1` });
    assert.deepEqual([recipe.scheduler, namesLeft(recipe)], [scheduler, left], name);
  }
});

Deno.test("values that no model here takes are left, not taken", () => {
  const recipe = read({
    parameters: "a\nSteps: 0, CFG scale: -3, Seed: -7, Size: 0x64, Sampler: Euler",
  });
  assert.deepEqual(namesLeft(recipe), ["Steps", "CFG scale", "Seed", "Size"]);
  assert.equal(recipe.scheduler, "euler");
});

Deno.test("a prompt alone is no list of parameters", () => {
  const parameters = "1girl, solo\nlooking at viewer: yes";
  assert.deepEqual(read({ parameters }), {
    program: "AUTOMATIC1111",
    prompt: parameters,
    left: [],
  });
});

/** ComfyUI's default workflow, with a seed that no double holds. */
const GRAPH = {
  "3": {
    class_type: "KSampler",
    inputs: {
      seed: "SEED",
      steps: 24,
      cfg: 6.5,
      sampler_name: "dpmpp_2m",
      scheduler: "karras",
      denoise: 1,
      model: ["10", 0],
      positive: ["6", 0],
      negative: ["7", 0],
      latent_image: ["5", 0],
    },
  },
  "4": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "anime.safetensors" } },
  "5": { class_type: "EmptyLatentImage", inputs: { width: 832, height: 1216, batch_size: 1 } },
  "6": { class_type: "CLIPTextEncode", inputs: { text: "1girl, lantern", clip: ["10", 1] } },
  "7": { class_type: "CLIPTextEncode", inputs: { text: "lowres", clip: ["10", 1] } },
  "8": { class_type: "VAEDecode", inputs: { samples: ["3", 0], vae: ["4", 2] } },
  "9": { class_type: "SaveImage", inputs: { images: ["8", 0] } },
  "10": {
    class_type: "LoraLoader",
    inputs: { lora_name: "style.safetensors", strength_model: 1, model: ["4", 0], clip: ["4", 1] },
  },
};
const written = (graph: object, seed = "18446744073709551615") =>
  JSON.stringify(graph).replace('"SEED"', seed);

Deno.test("ComfyUI's graph is followed from its sampler, and its seed keeps all digits", () => {
  assert.deepEqual(read({ prompt: written(GRAPH) }), {
    program: "ComfyUI",
    prompt: "1girl, lantern",
    negativePrompt: "lowres",
    seed: 2n ** 64n - 1n,
    numInferenceSteps: 24,
    guidanceScale: 6.5,
    scheduler: "dpm-solver++",
    width: 832,
    height: 1216,
    left: [
      { name: "scheduler", value: "karras" },
      { name: "CheckpointLoaderSimple", value: "anime.safetensors" },
      { name: "LoraLoader", value: "style.safetensors" },
    ],
  });
});

Deno.test("values that other nodes give are found where they were typed", () => {
  const graph = {
    ...GRAPH,
    "3": {
      ...GRAPH[3],
      inputs: { ...GRAPH[3].inputs, seed: ["20", 0], steps: ["21", 0], positive: ["22", 0] },
    },
    "6": { class_type: "CLIPTextEncode", inputs: { text: ["23", 0], clip: ["10", 1] } },
    "20": { class_type: "Seed (rgthree)", inputs: { seed: 77 } },
    "21": { class_type: "PrimitiveInt", inputs: { value: 30 } },
    "22": {
      class_type: "ControlNetApplyAdvanced",
      inputs: { strength: 1, positive: ["6", 0], negative: ["7", 0], control_net: ["24", 0] },
    },
    "23": {
      class_type: "StringConcatenate",
      inputs: { string_a: ["25", 0], string_b: "smile", delimiter: " | " },
    },
    "24": { class_type: "ControlNetLoader", inputs: { control_net_name: "pose.safetensors" } },
    "25": { class_type: "PrimitiveString", inputs: { value: "1boy" } },
  };
  const recipe = read({ prompt: written(graph) });
  assert.equal(recipe.prompt, "1boy | smile");
  assert.deepEqual([recipe.seed, recipe.numInferenceSteps], [77, 30]);
  assert(recipe.left.some(({ value }) => value === "pose.safetensors"));
});

/** A graph whose sampler has these inputs besides its own, and these nodes besides it. */
function graphWith(nodes: object, inputs: object = {}) {
  const sampler = { ...GRAPH[3], inputs: { ...GRAPH[3].inputs, ...inputs } };
  return read({ prompt: written({ ...GRAPH, 3: sampler, ...nodes }, "1") });
}

Deno.test("of a node with a text for each side, each side is given its own", () => {
  // Efficiency nodes' loader, and the styles of sdxl_prompt_styler.
  const loader = {
    class_type: "Efficient Loader",
    inputs: {
      ckpt_name: "anime.safetensors",
      lora_name: "style.safetensors",
      lora_model_strength: 0.7,
      lora_clip_strength: 0.7,
      positive: "1girl, lantern",
      negative: "lowres",
      empty_latent_width: 640,
      empty_latent_height: 960,
      batch_size: 2,
    },
  };
  const loaded = graphWith({ 20: loader }, {
    positive: ["20", 1],
    negative: ["20", 2],
    latent_image: ["20", 3],
  });
  assert.deepEqual([loaded.prompt, loaded.negativePrompt], ["1girl, lantern", "lowres"]);
  assert.deepEqual([loaded.width, loaded.height], [640, 960]);
  const loras = readForeignRecipe({ prompt: JSON.stringify({ 20: loader }) })?.loras;
  assert.deepEqual(loras, [{ name: "style.safetensors", weight: 0.7 }]);
  const styled = graphWith({
    6: { class_type: "CLIPTextEncode", inputs: { text: ["20", 0], clip: ["10", 1] } },
    7: { class_type: "CLIPTextEncode", inputs: { text: ["20", 1], clip: ["10", 1] } },
    20: {
      class_type: "SDXLPromptStyler",
      inputs: { text_positive: "1boy", text_negative: "blurry", style: "base" },
    },
  });
  assert.deepEqual([styled.prompt, styled.negativePrompt], ["1boy", "blurry"]);
});

Deno.test("what a sampler is given in one pipe is read from the nodes of the pipe", () => {
  // ComfyUI-Easy-Use: a loader, what is set before sampling, and the sampler.
  const graph = {
    1: {
      class_type: "easy fullLoader",
      inputs: {
        resolution: "832 x 1216",
        empty_latent_width: 512,
        empty_latent_height: 512,
        positive: "1girl",
        negative: ["4", 0],
      },
    },
    2: {
      class_type: "easy preSampling",
      inputs: { steps: 22, cfg: 6, sampler_name: "euler", seed: 9, pipe: ["1", 0] },
    },
    3: { class_type: "easy kSampler", inputs: { pipe: ["2", 0] } },
    4: { class_type: "easy negative", inputs: { negative: "lowres" } },
  };
  assert.deepEqual(read({ prompt: JSON.stringify(graph) }), {
    program: "ComfyUI",
    prompt: "1girl",
    negativePrompt: "lowres",
    numInferenceSteps: 22,
    guidanceScale: 6,
    seed: 9,
    scheduler: "euler",
    width: 832,
    height: 1216,
    left: [],
  });
});

Deno.test("NewBie's ComfyUI node has the system prompt in front of the prompt, another model's word is left", () => {
  const encode = (class_type: string, inputs: object) => ({
    6: { class_type, inputs: { clip: ["10", 1], user_prompt: "<n>miku</n>", ...inputs } },
  });
  const system = "You are an assistant. <Prompt Start>";
  const own = graphWith(encode("NewBieCLIPTextEncode", { system_prompt: system }));
  assert.equal(own.prompt, `${system} <n>miku</n>`);
  const other = graphWith(encode("NewBieCLIPTextEncode", { system_prompt: "Draw well." }));
  assert.deepEqual([other.prompt, other.systemPrompt], ["<n>miku</n>", "Draw well. "]);
  const lumina = graphWith(encode("CLIPTextEncodeLumina2", { system_prompt: "superior" }));
  assert.equal(lumina.prompt, "<n>miku</n>");
  assert(lumina.left.some(({ name, value }) => name === "system_prompt" && value === "superior"));
});

Deno.test("nodes that show a text or gather inputs say nothing of their own", () => {
  // ComfyUI-Custom-Scripts' ShowText, rgthree's Context.
  const shown = graphWith({
    6: { class_type: "CLIPTextEncode", inputs: { text: ["20", 0], clip: ["10", 1] } },
    20: { class_type: "ShowText|pysssss", inputs: { text: ["21", 0], text_0: "of before" } },
    21: { class_type: "PrimitiveString", inputs: { value: "1boy" } },
  });
  assert.equal(shown.prompt, "1boy");
  const gathered = graphWith({
    20: {
      class_type: "Context (rgthree)",
      inputs: { positive: ["6", 0], negative: ["7", 0], latent: ["5", 0], steps: 15 },
    },
  }, { positive: ["20", 4], negative: ["20", 5], latent_image: ["20", 3], steps: ["20", 8] });
  assert.deepEqual(
    [gathered.prompt, gathered.negativePrompt, gathered.width, gathered.numInferenceSteps],
    ["1girl, lantern", "lowres", 832, 15],
  );
  assert(!namesLeft(gathered).includes("second sampler"));
});

Deno.test("of the editor's graph, nodes that did not run say nothing, and links may be objects", () => {
  const inputs = (link: number) => [
    { name: "positive", type: "CONDITIONING", link },
    { name: "latent_image", type: "LATENT", link: 4 },
  ];
  const text = (id: number, words: string) => ({
    id,
    type: "CLIPTextEncode",
    inputs: [],
    widgets_values: [words],
  });
  const sampler = (id: number, mode: number, steps: number, link: number) => ({
    id,
    type: "KSampler",
    mode,
    inputs: inputs(link),
    outputs: [{ type: "LATENT" }],
    widgets_values: [id, "fixed", steps, 4, "euler", "simple", 1],
  });
  const nodes = [
    sampler(1, 4, 11, 6),
    sampler(2, 2, 12, 6),
    sampler(3, 0, 13, 7),
    { id: 4, type: "EmptyLatentImage", inputs: [], widgets_values: [640, 768, 1] },
    text(5, "1girl"),
    // A bypassed ControlNet hands its prompt on.
    {
      id: 6,
      type: "ControlNetApply",
      mode: 4,
      inputs: [{ name: "conditioning", type: "CONDITIONING", link: 5 }],
      outputs: [{ type: "CONDITIONING" }],
      widgets_values: [1],
    },
    {
      id: 7,
      type: "LoraLoaderModelOnly",
      mode: 4,
      inputs: [],
      widgets_values: ["off.safetensors", 1],
    },
  ];
  const links = [[4, 4, 0, 3, 1, "LATENT"], [5, 5, 0, 6, 0, "C"], [6, 5, 0, 1, 0, "C"], [
    7,
    6,
    0,
    3,
    0,
    "C",
  ]];
  const objects = links.map(([id, origin_id, origin_slot]) => ({ id, origin_id, origin_slot }));
  for (const form of [links, objects]) {
    const recipe = read({ workflow: JSON.stringify({ nodes, links: form }) });
    assert.deepEqual(recipe, {
      program: "ComfyUI",
      prompt: "1girl",
      numInferenceSteps: 13,
      guidanceScale: 4,
      seed: 3,
      scheduler: "euler",
      width: 640,
      height: 768,
      left: [],
    });
  }
});

Deno.test("what was drawn from a template takes its place, and reroutes are passed", () => {
  const drawn = {
    class_type: "ImpactWildcardEncode",
    inputs: { wildcard_text: "{1girl|1boy}", populated_text: "1boy", clip: ["10", 1] },
  };
  assert.equal(graphWith({ 6: drawn }).prompt, "1boy");
  const reroute = { class_type: "Reroute", inputs: { "": ["6", 0] } };
  assert.equal(graphWith({ 20: reroute }, { positive: ["20", 0] }).prompt, "1girl, lantern");
});

Deno.test("a size that is chosen from a list is that size, and no batch's number is a side", () => {
  const list = { resolution: "832x1216 (0.68)", batch_size: 1 };
  const picker = { class_type: "SDXLEmptyLatentSizePicker+", inputs: list };
  const latent = { width: ["20", 1], height: ["20", 2], batch_size: 1 };
  const linked = graphWith({ 5: { class_type: "EmptyLatentImage", inputs: latent }, 20: picker });
  assert.deepEqual([linked.width, linked.height], [832, 1216]);
  const direct = graphWith({ 20: picker }, { latent_image: ["20", 0] });
  assert.deepEqual([direct.width, direct.height], [832, 1216]);
  const unknown = { class_type: "Sizes", inputs: { choice: "wide", batch_size: 1 } };
  const none = graphWith({ 5: { class_type: "EmptyLatentImage", inputs: latent }, 20: unknown });
  assert.equal(none.width, undefined);
});

Deno.test("Python's NaN in a graph leaves the rest readable, and stays in texts", () => {
  const graph = { ...GRAPH, 6: { ...GRAPH[6], inputs: { text: 'NaN, "Infinity" \\' } } };
  const prompt = written(graph, "1").replace('"class_type"', '"is_changed":[NaN,-Infinity],$&');
  assert.throws(() => JSON.parse(prompt));
  assert.equal(read({ prompt }).prompt, 'NaN, "Infinity" \\');
  assert.equal(readForeignRecipe({ prompt: `{"a": NaN, "b": "${'\\"'.repeat(1e5)}` }), undefined);
});

Deno.test("a sampler in parts, and a second one that enlarges, are understood", () => {
  const graph = {
    "1": {
      class_type: "SamplerCustomAdvanced",
      inputs: {
        noise: ["2", 0],
        guider: ["3", 0],
        sampler: ["4", 0],
        sigmas: ["5", 0],
        latent_image: ["6", 0],
      },
    },
    "2": { class_type: "RandomNoise", inputs: { noise_seed: 5 } },
    "3": {
      class_type: "CFGGuider",
      inputs: { cfg: 4, model: ["9", 0], positive: ["7", 0], negative: ["8", 0] },
    },
    "4": { class_type: "KSamplerSelect", inputs: { sampler_name: "euler" } },
    "5": {
      class_type: "BasicScheduler",
      inputs: { scheduler: "simple", steps: 18, denoise: 1, model: ["9", 0] },
    },
    "6": { class_type: "EmptySD3LatentImage", inputs: { width: 1024, height: 1536 } },
    "7": { class_type: "CLIPTextEncode", inputs: { text: "fox" } },
    "8": { class_type: "ConditioningZeroOut", inputs: { conditioning: ["7", 0] } },
    "9": { class_type: "UNETLoader", inputs: { unet_name: "newbie.safetensors" } },
    "10": { class_type: "LatentUpscaleBy", inputs: { samples: ["1", 0], scale_by: 1.5 } },
    "11": {
      class_type: "KSampler",
      inputs: { ...GRAPH[3].inputs, seed: 6, denoise: 0.5, latent_image: ["10", 0] },
    },
  };
  const recipe = read({ prompt: JSON.stringify(graph) });
  assert.deepEqual(recipe, {
    program: "ComfyUI",
    prompt: "fox",
    seed: 5,
    numInferenceSteps: 18,
    guidanceScale: 4,
    scheduler: "euler",
    width: 1024,
    height: 1536,
    // ComfyUI makes 24 steps on the last half of the way: the second half of 48.
    hires: { scale: 1.5, upscaler: "latent", strength: 0.5, steps: 48 },
    left: [{ name: "UNETLoader", value: "newbie.safetensors" }],
  });
});

Deno.test("how far ComfyUI went from a picture, and how softly its mask ended, are taken over", () => {
  const { "3": sampler, ...others } = GRAPH;
  const graphOf = (inputs: object, more: object = {}, type = "KSampler") => ({
    ...others,
    "3": { class_type: type, inputs: { ...sampler.inputs, ...inputs } },
    ...more,
  });
  const picture = {
    "20": { class_type: "LoadImage", inputs: { image: "girl.png" } },
    "21": { class_type: "VAEEncode", inputs: { pixels: ["20", 0], vae: ["4", 2] } },
  };
  const drawn = read({
    prompt: written(graphOf({ denoise: 0.62, latent_image: ["21", 0] }, picture)),
  });
  assert.equal(drawn.strength, 0.62);
  assert(!namesLeft(drawn).includes("denoise"));
  assert.equal(read({ prompt: written(GRAPH) }).strength, undefined);

  const masked = {
    ...picture,
    "22": {
      class_type: "SetLatentNoiseMask",
      inputs: { samples: ["21", 0], mask: ["23", 0] },
    },
    "23": {
      class_type: "GrowMaskWithBlur",
      inputs: { mask: ["24", 0], expand: 4, blur_radius: 6.4 },
    },
    "24": { class_type: "LoadImageMask", inputs: { image: "mask.png", channel: "red" } },
    "25": { class_type: "DifferentialDiffusion", inputs: { model: ["10", 0] } },
  };
  const inside = read({
    prompt: written(graphOf({ denoise: 1, latent_image: ["22", 0], model: ["25", 0] }, masked)),
  });
  assert.deepEqual(
    [inside.strength, inside.maskBlur, inside.differentialMask],
    [undefined, 6, true],
  );

  const { denoise: _, ...advanced } = sampler.inputs;
  const late = { ...advanced, steps: 20, start_at_step: 8, latent_image: ["21", 0] };
  const graph = { ...others, ...picture, "3": { class_type: "KSamplerAdvanced", inputs: late } };
  assert.equal(read({ prompt: written(graph) }).strength, 0.6);

  const beyond = read({ prompt: written(graphOf({ denoise: 3, latent_image: ["21", 0] })) });
  assert.equal(beyond.strength, undefined);
  assert(namesLeft(beyond).includes("denoise"));
});

Deno.test("a picture that ComfyUI enlarged by a network and drew again is one of two drawings", () => {
  const graph = {
    ...GRAPH,
    "30": { class_type: "UpscaleModelLoader", inputs: { model_name: "4x-AnimeSharp.pth" } },
    "31": {
      class_type: "ImageUpscaleWithModel",
      inputs: { upscale_model: ["30", 0], image: ["8", 0] },
    },
    "32": {
      class_type: "ImageScaleBy",
      inputs: { upscale_method: "lanczos", scale_by: 0.5, image: ["31", 0] },
    },
    "33": { class_type: "VAEEncode", inputs: { pixels: ["32", 0], vae: ["4", 2] } },
    "34": {
      class_type: "KSampler",
      inputs: { ...GRAPH[3].inputs, steps: 10, denoise: 0.4, latent_image: ["33", 0] },
    },
  };
  assert.deepEqual(read({ prompt: written(graph) }).hires, {
    scale: 2,
    upscaler: "4x-AnimeSharp",
    strength: 0.4,
    steps: 25,
  });
  // Its size instead of a factor, by a filter.
  const sized = {
    ...graph,
    "32": {
      class_type: "ImageScale",
      inputs: { upscale_method: "lanczos", width: 1248, height: 1824, image: ["8", 0] },
    },
  };
  const { hires } = read({ prompt: written(sized) });
  assert.deepEqual([hires?.scale, hires?.upscaler], [1.5, "lanczos"]);
  // Nothing is enlarged: a second sampler that is left.
  const same = {
    ...graph,
    "34": { ...graph[34], inputs: { ...graph[34].inputs, latent_image: ["3", 0] } },
  };
  const left = read({ prompt: written(same) });
  assert.equal(left.hires, undefined);
  assert(namesLeft(left).includes("second sampler"));
});

Deno.test("strengths of NovelAI, InvokeAI and SwarmUI are taken over, and the web UI's by what it is of", () => {
  const novelAi = (more: object) => {
    const comment = { prompt: "girl", uc: "", steps: 28, seed: 1, scale: 5, ...more };
    return read({ Software: "NovelAI", Comment: JSON.stringify(comment) });
  };
  const drawn = novelAi({ strength: 0.7, noise: 0.1, request_type: "Img2ImgRequest" });
  assert.equal(drawn.strength, 0.7);
  assert.deepEqual(namesLeft(drawn), ["noise"]);
  const infilled = { request_type: "NativeInfillingRequest", inpaintImg2ImgStrength: 0.45 };
  assert.equal(novelAi({ ...infilled, strength: 1 }).strength, 0.45);
  assert.equal(novelAi({}).strength, undefined);

  const invokeAi = { positive_prompt: "girl", steps: 30, strength: 0.55 };
  assert.equal(read({ invokeai_metadata: JSON.stringify(invokeAi) }).strength, 0.55);
  const before = { image: { prompt: "girl", strength: 0.75, type: "img2img" } };
  assert.equal(read({ "sd-metadata": JSON.stringify(before) }).strength, 0.75);

  const swarm = { prompt: "girl", initimagecreativity: 0.6, maskblur: 4 };
  const swarmed = read({ parameters: JSON.stringify({ sui_image_params: swarm }) });
  assert.deepEqual([swarmed.strength, swarmed.maskBlur, swarmed.left], [0.6, 4, []]);

  const webUi = (more: string) =>
    read({ parameters: `girl\nSteps: 20, Seed: 1, Size: 512x768, ${more}, Version: v1.10` });
  const masked = webUi("Denoising strength: 0.75, Mask blur: 6");
  assert.deepEqual([masked.strength, masked.maskBlur, masked.left], [0.75, 6, []]);
  // There, the second drawing's strength has the same name.
  const twice = webUi(
    "Denoising strength: 0.4, Hires upscale: 2, Hires upscaler: Latent (nearest)",
  );
  assert.deepEqual(twice.hires, { scale: 2, strength: 0.4, upscaler: "latent" });
  assert.equal(twice.strength, undefined);
  const sized = webUi(
    "Denoising strength: 0.3, Hires resize: 768x1152, Hires upscaler: R-ESRGAN 4x+",
  );
  assert.deepEqual(sized.hires, { scale: 1.5, strength: 0.3, upscaler: "R-ESRGAN 4x+" });
  assert.deepEqual(sized.left, []);
});

Deno.test("where only the editor's graph is there, its fields are read in their order", () => {
  const workflow = {
    nodes: [
      {
        id: 1,
        type: "KSampler",
        inputs: [
          { name: "model", link: 1 },
          { name: "positive", link: 2 },
          { name: "negative", link: 3 },
          { name: "latent_image", link: 4 },
        ],
        widgets_values: [42, "randomize", 20, 7, "euler", "normal", 1],
      },
      { id: 2, type: "CLIPTextEncode", inputs: [], widgets_values: ["cat"] },
      { id: 3, type: "CLIPTextEncode", inputs: [], widgets_values: ["dog"] },
      { id: 4, type: "EmptyLatentImage", inputs: [], widgets_values: [640, 512, 1] },
    ],
    links: [
      [2, 2, 0, 1, 1, "CONDITIONING"],
      [3, 3, 0, 1, 2, "CONDITIONING"],
      [4, 4, 0, 1, 3, "LATENT"],
    ],
  };
  assert.deepEqual(read({ workflow: JSON.stringify(workflow) }), {
    program: "ComfyUI",
    prompt: "cat",
    negativePrompt: "dog",
    seed: 42,
    numInferenceSteps: 20,
    guidanceScale: 7,
    scheduler: "euler",
    width: 640,
    height: 512,
    left: [],
  });
});

Deno.test("NovelAI's comment is taken over, with the captions of its characters", () => {
  const comment = {
    prompt: "two girls",
    steps: 28,
    height: 1216,
    width: 832,
    scale: 5.0,
    seed: 3141592653,
    noise_schedule: "karras",
    sampler: "k_euler_ancestral",
    cfg_rescale: 0,
    sm: false,
    uc: "lowres",
    v4_prompt: {
      caption: {
        base_caption: "two girls",
        char_captions: [
          { char_caption: "girl, red hair", centers: [{ x: 0.3, y: 0.5 }] },
          { char_caption: "girl, blue hair", centers: [{ x: 0.7, y: 0.5 }] },
        ],
      },
      use_coords: true,
    },
  };
  const text = {
    Software: "NovelAI",
    Description: "two girls",
    Comment: JSON.stringify(comment),
  };
  const expected = {
    program: "NovelAI",
    prompt: "two girls\ngirl, red hair\ngirl, blue hair",
    negativePrompt: "lowres",
    seed: 3141592653,
    numInferenceSteps: 28,
    guidanceScale: 5,
    width: 832,
    height: 1216,
  };
  const { left, ...rest } = read(text);
  assert.deepEqual(rest, expected);
  assert.deepEqual(left.map(({ name }) => name), [
    "characters' places",
    "sampler",
    "noise_schedule",
  ]);
  // As its WebP pictures have it: all of PNG's texts in one object.
  assert.deepEqual(read({ "exif:UserComment": JSON.stringify(text) }).prompt, expected.prompt);
});

Deno.test("InvokeAI's metadata of both versions are taken over", () => {
  const now = {
    positive_prompt: "1girl",
    negative_prompt: "bad",
    width: 768,
    height: 1024,
    seed: 12,
    cfg_scale: 6,
    steps: 33,
    scheduler: "dpmpp_2m_k",
    model: { name: "Animagine", base: "sdxl" },
    loras: [],
    app_version: "5.0.0",
  };
  assert.deepEqual(read({ invokeai_metadata: JSON.stringify(now) }), {
    program: "InvokeAI",
    prompt: "1girl",
    negativePrompt: "bad",
    seed: 12,
    numInferenceSteps: 33,
    guidanceScale: 6,
    scheduler: "dpm-solver++",
    width: 768,
    height: 1024,
    left: [{ name: "schedule", value: "Karras" }, { name: "model", value: "Animagine" }],
  });
  const old = {
    model: "stable diffusion",
    model_weights: "sd-1.5",
    image: {
      prompt: [{ prompt: "a fox [blurry] in snow", weight: 1 }],
      steps: 50,
      cfg_scale: 7.5,
      height: 512,
      width: 512,
      seed: 99,
      sampler: "k_heun",
    },
  };
  assert.deepEqual(read({ "sd-metadata": JSON.stringify(old) }), {
    program: "InvokeAI",
    prompt: "a fox  in snow",
    negativePrompt: "blurry",
    seed: 99,
    numInferenceSteps: 50,
    guidanceScale: 7.5,
    scheduler: "heun",
    width: 512,
    height: 512,
    left: [{ name: "model", value: "sd-1.5" }],
  });
});

Deno.test("SwarmUI's and Fooocus's parameters are JSON, and taken over", () => {
  const swarm = {
    sui_image_params: {
      prompt: "1girl",
      model: "other",
      seed: 8,
      steps: 25,
      cfgscale: 4,
      width: 512,
      height: 768,
      sampler: "euler",
      scheduler: "simple",
      swarm_version: "0.9",
    },
  };
  const recipe = read({ parameters: JSON.stringify(swarm) });
  assert.deepEqual([recipe.program, recipe.seed, recipe.width], ["SwarmUI", 8, 512]);
  assert.deepEqual(recipe.left, [{ name: "model", value: "other" }]);
  const fooocus = {
    prompt: "1girl",
    negative_prompt: "",
    resolution: "(832, 1216)",
    seed: "123",
    steps: 30,
    guidance_scale: 4,
    sampler: "euler",
    scheduler: "karras",
    base_model: "juggernaut",
  };
  const other = read({ parameters: JSON.stringify(fooocus) });
  assert.deepEqual([other.program, other.seed, other.height], ["Fooocus", 123, 1216]);
});

Deno.test("what piexif and Pillow wrote into EXIF is found in JPEG, WebP and AVIF", async () => {
  for (const name of ["a1111.jpg", "a1111.webp", "a1111.avif", "little.jpg"]) {
    const { text } = readPictureText(await Deno.readFile(fixture(`image/formats/${name}`)));
    const recipe = read(text);
    assert.equal(recipe.prompt, "1girl, 初音ミク, café", name);
    assert.deepEqual([recipe.seed, recipe.width, recipe.height], [1234567890, 832, 1216]);
  }
  const { text } = readPictureText(await Deno.readFile(fixture("image/formats/comfyui.webp")));
  assert.equal(read(text).program, "ComfyUI");
});

Deno.test("a picture of no such program says nothing", () => {
  assert.equal(readForeignRecipe({}), undefined);
  assert.equal(readForeignRecipe({ Software: "GIMP", Comment: "Created with GIMP" }), undefined);
  assert.equal(readForeignRecipe({ "exif:ImageDescription": "my cat" }), undefined);
  assert.equal(readForeignRecipe({ prompt: "no graph" }), undefined);
});

Deno.test("nothing that stands in a picture makes the readers throw", () => {
  const keyword = fc.constantFrom(
    "parameters",
    "prompt",
    "workflow",
    "Comment",
    "invokeai_metadata",
    "sd-metadata",
    "exif:UserComment",
  );
  const key = fc.constantFrom(
    ..."inputs class_type nodes links seed steps positive latent_image text 3 4 image caption uc"
      .split(" "),
  );
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.string(),
      fc.integer(),
      fc.constant(null),
      fc.tuple(fc.constantFrom("3", "4", 3), fc.nat(3)),
      fc.dictionary(key, tie("value"), { maxKeys: 5 }),
      fc.array(tie("value"), { maxLength: 4 }),
    ),
  })).value;
  const text = fc.oneof(fc.string(), json.map((value) => JSON.stringify(value)));
  fc.assert(
    fc.property(fc.dictionary(keyword, text), (texts) => void readForeignRecipe(texts)),
    { numRuns: 2000 },
  );
});

Deno.test("templates below the list are no part of the prompts", () => {
  // adieyal/sd-dynamic-prompts#177: as that extension wrote them until it used the list itself.
  const parameters = "1girl, red hair\nNegative prompt: bad\n" +
    "Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 512x768\n" +
    "Template: 1girl,\n{red|blue} hair\nNegative Template: bad";
  const { prompt, negativePrompt, seed, width } = read({ parameters });
  assert.deepEqual([prompt, negativePrompt, seed, width], ["1girl, red hair", "bad", 1, 512]);
});

Deno.test("a comment that is no list of parameters is no prompt", () => {
  // What iOS writes into screenshots.
  assert.equal(readForeignRecipe({ "exif:UserComment": "Screenshot" }), undefined);
  const comment = "1girl\nNegative prompt: bad\nSteps: 2, Sampler: Euler, Seed: 1";
  assert.equal(read({ "exif:UserComment": comment }).negativePrompt, "bad");
});

Deno.test("adapters that are read are not among what is left, and those of Fooocus' former scheme are read", () => {
  const lora = { model: { name: "night" }, weight: 0.75 };
  const invoke = {
    positive_prompt: "1girl",
    loras: [lora, { weight: 1 }],
    ref_images: [{ image: "a" }],
    clip_skip: 0,
    hrf_enabled: true,
  };
  const text = { invokeai_metadata: JSON.stringify(invoke) };
  assert.deepEqual(read(text).left, [
    { name: "loras", value: '[{"weight":1}]' },
    { name: "ref_images", value: '[{"image":"a"}]' },
    { name: "hrf_enabled", value: "true" },
  ]);
  const fooocus = { prompt: "1girl", lora_combined_1: "night : 0.5", lora_combined_2: "rin" };
  const former = readForeignRecipe({ parameters: JSON.stringify(fooocus) })!;
  assert.deepEqual(former.loras, [{ name: "night", weight: 0.5 }]);
  assert.deepEqual(former.left, [{ name: "lora_combined_2", value: "rin" }]);
  const parameters = "1girl\nSteps: 3, Seed: 1, Sampler: Euler, " +
    'Lora hashes: "night: 0123456789", Lora weights: "night: 0.3"';
  const both = readForeignRecipe({ parameters })!;
  assert.deepEqual(both.loras, [{ name: "night", weight: 0.3, hash: "0123456789" }]);
  assert.deepEqual(both.left, []);
  const swarm = { prompt: "1girl", loras: ["night"], loraweights: ["0.5"], aspectratio: "3:4" };
  const sized = readForeignRecipe({ parameters: JSON.stringify({ sui_image_params: swarm }) })!;
  assert.deepEqual(sized.left, [{ name: "aspectratio", value: "3:4" }]);
});

Deno.test("adapters are read by name, weight and checksum from every program's notes", () => {
  const lorasOf = (text: Readonly<Record<string, string>>) => readForeignRecipe(text)?.loras;
  // As the web UI writes them: weights in the prompt, 12 digits of a checksum below.
  const parameters = "1girl, <lora:night:0.8>\nNegative prompt: bad\nSteps: 20, Seed: 1, " +
    'Size: 512x512, Lora hashes: "night: 0123456789ab, rin: ba9876543210", Version: 1.10';
  assert.deepEqual(lorasOf({ parameters }), [
    { name: "night", hash: "0123456789ab" },
    { name: "rin", hash: "ba9876543210" },
  ]);
  const graph = {
    1: {
      class_type: "LoraLoader",
      inputs: { lora_name: "a/night.safetensors", strength_model: 0.8, strength_clip: 0.5 },
    },
    2: { class_type: "LoraLoaderModelOnly", inputs: { lora_name: "rin.sft", strength_model: -1 } },
    3: {
      class_type: "Power Lora Loader (rgthree)",
      inputs: {
        lora_1: { on: true, lora: "x.safetensors", strength: 0.3 },
        lora_2: { on: false, lora: "y.safetensors", strength: 1 },
      },
    },
    4: {
      class_type: "LoRA Stacker",
      inputs: { lora_name_1: "z", lora_wt_1: 0.4, lora_name_2: "None" },
    },
  };
  assert.deepEqual(lorasOf({ prompt: JSON.stringify(graph) }), [
    { name: "a/night.safetensors", weight: 0.8, textWeight: 0.5 },
    { name: "rin.sft", weight: -1 },
    { name: "x.safetensors", weight: 0.3 },
    { name: "z", weight: 0.4 },
  ]);
  const invoke = { positive_prompt: "1girl", loras: [{ model: { name: "night" }, weight: 0.75 }] };
  assert.deepEqual(lorasOf({ invokeai_metadata: JSON.stringify(invoke) }), [
    { name: "night", weight: 0.75 },
  ]);
  const swarm = { prompt: "1girl", loras: ["night", "rin"], loraweights: ["0.5", "1"] };
  assert.deepEqual(lorasOf({ parameters: JSON.stringify({ sui_image_params: swarm }) }), [
    { name: "night", weight: 0.5 },
    { name: "rin", weight: 1 },
  ]);
  const fooocus = { prompt: "1girl", loras: [["night.safetensors", 0.1, "0123456789"]] };
  assert.deepEqual(lorasOf({ parameters: JSON.stringify(fooocus) }), [
    { name: "night.safetensors", weight: 0.1 },
  ]);
});
