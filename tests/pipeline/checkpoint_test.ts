import assert from "node:assert/strict";
import { CheckpointError } from "../../src/onnx/mod.ts";
import { CheckpointNotFoundError } from "../../src/pipeline/checkpoint/checkpoint_not_found_error.ts";
import { describeCheckpoint } from "../../src/pipeline/checkpoint/describe_checkpoint.ts";
import { findCheckpoint } from "../../src/pipeline/checkpoint/find_checkpoint.ts";
import { NewBieImagePipeline } from "../../src/pipeline/pipeline.ts";
import { fixture, readJson } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { appendTensor } from "../safetensors/_writer.ts";
import { spieceModelOf } from "../tokenizer/_sentencepiece_files.ts";

const tiny = fixture("pipeline/tiny");
const silent = { log: () => {} };

/** A folder that is gone afterwards, filled from `[path in it, path of the original]`. */
async function withFolder(
  files: readonly (readonly [string, string])[],
  work: (folder: string) => Promise<void>,
): Promise<void> {
  await inTempFolder(async (folder) => {
    for (const [path, original] of files) {
      const target = `${folder}/${path}`;
      await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
      await Deno.copyFile(original, target);
    }
    await work(folder);
  });
}

/** The tiny pipeline in the toolkit's own layout, below a prefix. */
function toolkitLayout(slots: Record<string, string>): [string, string][] {
  return [
    [`${slots.transformer}/config.json`, `${tiny}/transformer/config.json`],
    [
      `${slots.transformer}/model.safetensors`,
      `${tiny}/transformer/diffusion_pytorch_model.safetensors`,
    ],
    [`${slots.textEncoder}/config.json`, `${tiny}/text_encoder/config.json`],
    [`${slots.textEncoder}/model.safetensors`, `${tiny}/text_encoder/model.safetensors`],
    [`${slots.textEncoder}/tokenizer.json`, `${tiny}/tokenizer/tokenizer.json`],
    [`${slots.clipModel}/config.json`, `${tiny}/clip_model/config.json`],
    [`${slots.clipModel}/model.safetensors`, `${tiny}/clip_model/model.safetensors`],
    [`${slots.clipModel}/tokenizer.json`, `${tiny}/clip_tokenizer/tokenizer.json`],
    [`${slots.vae}/config.json`, `${tiny}/vae/config.json`],
    [`${slots.vae}/model.safetensors`, `${tiny}/vae/diffusion_pytorch_model.safetensors`],
  ];
}

const realSlots = {
  transformer: "models/next-dit-3.5b",
  textEncoder: "models/transformer/gemma-3-2b",
  clipModel: "models/clip_model/jina-clip-v2",
  vae: "models/vae/taesd",
};
const demoSlots = {
  transformer: "models/demo/next-dit",
  textEncoder: "models/demo/transformer",
  clipModel: "models/demo/clip_model",
  vae: "models/demo/vae",
};
const comfyUiFiles: [string, string][] = [
  [
    "diffusion_models/any_name.safetensors",
    `${tiny}/transformer/diffusion_pytorch_model.safetensors`,
  ],
  ["diffusion_models/any_name.json", `${tiny}/transformer/config.json`],
  ["text_encoders/gemma.safetensors", `${tiny}/text_encoder/model.safetensors`],
  ["text_encoders/gemma.json", `${tiny}/text_encoder/config.json`],
  ["text_encoders/gemma.tokenizer.json", `${tiny}/tokenizer/tokenizer.json`],
  ["text_encoders/jina.safetensors", `${tiny}/clip_model/model.safetensors`],
  ["text_encoders/jina.json", `${tiny}/clip_model/config.json`],
  ["text_encoders/jina.tokenizer.json", `${tiny}/clip_tokenizer/tokenizer.json`],
  ["vae/ae.safetensors", `${tiny}/vae/diffusion_pytorch_model.safetensors`],
  ["vae/ae.json", `${tiny}/vae/config.json`],
];

Deno.test("the same weights give the same latents in all three layouts", async () => {
  const sample = async (folder: string) => {
    const lines: string[] = [];
    await using pipe = await NewBieImagePipeline.fromPretrained(folder, {
      log: (line) => void lines.push(line),
    });
    const { images: [latents] } = await pipe.generate({
      prompt: "1girl",
      height: 32,
      width: 32,
      numInferenceSteps: 2,
      // The demo's own default is another one.
      guidanceScale: 4,
      generator: { seed: 1 },
      outputType: "latent",
    });
    return { layout: pipe.layout, isDemo: pipe.isDemo, latents, log: lines.join("\n") };
  };
  const { latents, layout, log } = await sample(tiny);
  assert.equal(layout, "diffusers");
  assert.match(log, /Hugging Face pipeline folder/);
  await withFolder(toolkitLayout(realSlots), async (folder) => {
    const toolkit = await sample(folder);
    assert.equal(toolkit.layout, "toolkit");
    assert.equal(toolkit.isDemo, false);
    assert.deepEqual(toolkit.latents, latents);
  });
  await withFolder(toolkitLayout(demoSlots), async (folder) => {
    const demo = await sample(folder);
    assert.equal(demo.isDemo, true);
    assert.match(demo.log, /demo/i);
    assert.deepEqual(demo.latents, latents);
  });
  await withFolder(comfyUiFiles, async (folder) => {
    const comfyUi = await sample(folder);
    assert.equal(comfyUi.layout, "comfyui");
    assert.deepEqual(comfyUi.latents, latents);
    // As ComfyUI's own files are: nothing but weights, with the tokenizer among them.
    for (const [encoder, tokenizer] of [["gemma", "tokenizer"], ["jina", "clip_tokenizer"]]) {
      const model = spieceModelOf(await readJson(`${tiny}/${tokenizer}/tokenizer.json`));
      const path = `${folder}/text_encoders/${encoder}.safetensors`;
      const original = await Deno.readFile(path);
      const shape = [model.length];
      await Deno.writeFile(path, appendTensor(original, "spiece_model", "U8", shape, model));
      await Deno.remove(`${folder}/text_encoders/${encoder}.tokenizer.json`);
    }
    assert.deepEqual((await sample(folder)).latents, latents);
  });
});

Deno.test("a single file without a tokenizer inside or beside it is named", async () => {
  const without = comfyUiFiles.filter(([path]) => !path.endsWith("jina.tokenizer.json"));
  await withFolder(without, async (folder) => {
    await assert.rejects(
      findCheckpoint(folder),
      /jina\.safetensors has no tokenizer: .*spiece_model.*jina\.tokenizer\.json.*clip_tokenizer/,
    );
  });
});

Deno.test("the demo's transformer keeps its settings beside other parts, which are named", async () => {
  await withFolder(toolkitLayout(demoSlots), async (folder) => {
    const other = `${folder}/other`;
    await Deno.rename(`${folder}/${demoSlots.vae}`, other);
    const withVae = await findCheckpoint(folder, { parts: { vae: other } });
    assert.equal(withVae.isDemo, true);
    assert.match(describeCheckpoint(withVae, folder), /, other$/);
    const transformer = `${folder}/${demoSlots.transformer}`;
    const withTransformer = await findCheckpoint(folder, { parts: { vae: other, transformer } });
    assert.equal(withTransformer.isDemo, false);
  });
});

Deno.test("real weights are preferred to the demo model", async () => {
  await withFolder([...toolkitLayout(realSlots), ...toolkitLayout(demoSlots)], async (folder) => {
    assert.equal((await findCheckpoint(folder)).isDemo, false);
  });
});

Deno.test("a layout with a missing part is refused, naming the part", async () => {
  const withoutVae = toolkitLayout(realSlots).filter(([path]) => !path.startsWith(realSlots.vae));
  await withFolder(withoutVae, async (folder) => {
    await assert.rejects(findCheckpoint(folder), /lacks vae\/taesd\//);
  });
  await withFolder(comfyUiFiles.filter(([path]) => !path.startsWith("vae")), async (folder) => {
    await assert.rejects(findCheckpoint(folder), /no file has the tensors of the VAE/);
  });
  const twice: [string, string][] = [
    ["vae/second.safetensors", `${tiny}/vae/diffusion_pytorch_model.safetensors`],
    ["vae/second.json", `${tiny}/vae/config.json`],
  ];
  await withFolder([...comfyUiFiles, ...twice], async (folder) => {
    await assert.rejects(
      findCheckpoint(folder),
      /several files could be the VAE \(.*ae\.safetensors, .*second.*\): name one with --vae/,
    );
  });
  await withFolder([], async (folder) => {
    await assert.rejects(findCheckpoint(folder), /No model was found/);
  });
});

Deno.test("what is missing, and what was found, is said in Chinese too", async () => {
  const problem = async (folder: string) => {
    const error = await findCheckpoint(folder).then(() => undefined, (error: unknown) => error);
    assert(error instanceof CheckpointNotFoundError, String(error));
    return error.explain("zh");
  };
  await withFolder([], async (folder) => {
    assert((await problem(folder)).startsWith(`${folder} 里没有找到模型。应为以下之一：`));
    assert.equal(
      await problem(`${folder}/none`),
      `${folder}/none 既不是文件夹也不是文件。请给出存放模型文件的文件夹。`,
    );
  });
  const withoutVae = toolkitLayout(realSlots).filter(([path]) => !path.startsWith(realSlots.vae));
  await withFolder(withoutVae, async (folder) => {
    assert.equal(
      await problem(folder),
      `${folder}/models 是工具箱的布局，但缺少 vae/taesd/。README.zh-CN.md 列出了各文件及其位置。`,
    );
  });
  await withFolder(comfyUiFiles.filter(([path]) => !path.startsWith("vae")), async (folder) => {
    const length = new Uint8Array([255, 0, 0, 0, 0, 0, 0, 0]);
    await Deno.writeFile(`${folder}/broken.safetensors`, length);
    assert.equal(
      await problem(folder),
      `${folder} 里的单文件不能组成一个模型：没有文件含有 VAE 的张量。` +
        "README.zh-CN.md 列出了所需文件；放在别处的部件可用选项指定：" +
        "--transformer、--text-encoder、--clip-model、--vae。\n" +
        `未考虑：${folder}/broken.safetensors：前 8 字节说文件头有 255 字节，` +
        "但后面只有 0 字节。文件不完整，或者不是 safetensors 文件：请重新下载。",
    );
  });
  const without = comfyUiFiles.filter(([path]) => !path.endsWith("jina.tokenizer.json"));
  await withFolder(without, async (folder) => {
    assert.match(
      await problem(folder),
      /jina\.safetensors 没有分词器：里面没有张量 spiece_model，/,
    );
  });

  const described = async (folder: string) =>
    describeCheckpoint(await findCheckpoint(folder), folder, "zh");
  await withFolder(comfyUiFiles, async (folder) => {
    assert.equal(
      await described(folder),
      `ComfyUI 单文件，位于 ${folder}：any_name.safetensors、gemma.safetensors、` +
        "jina.safetensors、ae.safetensors",
    );
  });
  await withFolder(toolkitLayout(demoSlots), async (folder) => {
    const { models, demo } = { models: `${folder}/models`, demo: `${folder}/models/demo` };
    assert.equal(await described(folder), `演示模型，位于 ${demo}：${models} 里没有正式权重。`);
    assert.equal(await described(demo), `演示模型，位于 ${demo}。`);
  });
});

Deno.test("an AutoencoderTiny is known as one under each of its names", async () => {
  const others = comfyUiFiles.filter(([path]) => !path.startsWith("vae"));
  for (const name of ["taef1_like", "taef1_like_bf16"]) {
    const vae = fixture(`autoencoder_tiny/${name}/model.safetensors`);
    await withFolder([...others, ["vae/any_name.safetensors", vae]], async (folder) => {
      const found = await findCheckpoint(folder);
      assert(found.vae.weights.endsWith("vae/any_name.safetensors"));
    });
  }
  // Of four channels: known, and no match for this transformer.
  const vae = fixture("autoencoder_tiny/taesd_original_names/model.safetensors");
  await withFolder([...others, ["vae/any_name.safetensors", vae]], async (folder) => {
    await assert.rejects(
      findCheckpoint(folder),
      /no VAE fits \(.*any_name\.safetensors: latent_channels is 4.* needs 16/,
    );
  });
});

/** The tiny pipeline with one configuration changed. */
async function withConfig(
  part: keyof typeof realSlots,
  change: Record<string, unknown>,
  work: (folder: string) => Promise<void>,
): Promise<void> {
  await withFolder(toolkitLayout(realSlots), async (folder) => {
    const path = `${folder}/${realSlots[part]}/config.json`;
    const config = await readJson<Record<string, unknown>>(path);
    await Deno.writeTextFile(path, JSON.stringify({ ...config, ...change }));
    await work(folder);
  });
}

Deno.test("a CLIP model is asked for only where the transformer uses one", async () => {
  const files = toolkitLayout(realSlots).filter(([path]) => !path.startsWith(realSlots.clipModel));
  await withFolder(files, async (folder) => {
    const path = `${folder}/${realSlots.transformer}/config.json`;
    const refused = NewBieImagePipeline.fromPretrained(folder, silent);
    await assert.rejects(refused, /has CLIP conditioning, but there is no CLIP model/);
    const config = await readJson<Record<string, unknown>>(path);
    const { _class_name: _, ...plain } = config;
    await Deno.writeTextFile(path, JSON.stringify({ ...plain, clip_text_dim: null }));
    await using pipe = await NewBieImagePipeline.fromPretrained(folder, silent);
    const embeds = await pipe.encodePrompt({ prompt: "1girl" });
    assert.deepEqual(embeds.pooledPromptEmbeds.dims, [1, 0]);
    const latents = pipe.prepareLatents({ height: 32, width: 32 });
    const velocity = await pipe.predictVelocity({ ...embeds, latents, timestep: 0 });
    assert.deepEqual([...velocity.dims], [1, 16, 4, 4]);
  });
});

Deno.test("what cannot be read is said with its place, and its class tells what is wrong", async () => {
  const name = async (promise: Promise<unknown>) => {
    const error = await promise.then(() => undefined, (error: Error) => error);
    return error?.name;
  };
  const file = fixture("pipeline/tiny/io.json");
  assert.equal(await name(NewBieImagePipeline.fromPretrained(file)), "CheckpointNotFoundError");
  await withFolder(toolkitLayout(realSlots), async (folder) => {
    const path = `${folder}/${realSlots.vae}/config.json`;
    const text = await Deno.readTextFile(path);
    const load = () =>
      name(NewBieImagePipeline.fromPretrained(folder, { ...silent, offload: "model" }));
    await Deno.writeTextFile(path, `\ufeff${text}`);
    assert.equal(await load(), undefined);
    await Deno.writeTextFile(path, "{");
    assert.equal(await load(), "ConfigError");
    await Deno.writeTextFile(path, "[]");
    assert.equal(await load(), "ConfigError");
    await Deno.remove(path);
    assert.equal(await load(), "CheckpointNotFoundError");
  });
});

Deno.test("every tensor that does not fit is named at once, with both shapes", async () => {
  await withConfig("transformer", { n_layers: 3, multiple_of: 100 }, async (folder) => {
    const refused = NewBieImagePipeline.fromPretrained(folder, silent);
    await assert.rejects(refused, (error: Error) => {
      assert(error instanceof CheckpointError);
      const of = (tensor: string) => error.problems.find((problem) => problem.tensor === tensor);
      const reshaped = of("layers.0.feed_forward.w1.weight");
      assert.equal(reshaped?.part?.en, "transformer");
      assert(reshaped.file.endsWith("next-dit-3.5b/model.safetensors"), reshaped.file);
      assert.notDeepEqual(reshaped.found, reshaped.expected);
      const missing = of("layers.2.attention.qkv.weight");
      assert(missing !== undefined && missing.found === undefined);
      for (const { tensor } of error.problems) assert(error.message.includes(tensor));
      return true;
    });
  });
});

Deno.test("parts that were not made for each other are refused at load, with both numbers", async () => {
  const mismatches = [
    ["vae", { latent_channels: 4 }, /latent_channels is 4.*needs 16/s],
    ["textEncoder", { hidden_size: 36 }, /hidden_size is 36.*needs 24/s],
    ["clipModel", { hidden_size: 40 }, /hidden_size is 40.*needs 20/s],
  ] as const;
  for (const [part, change, message] of mismatches) {
    await withConfig(part, change, async (folder) => {
      await assert.rejects(NewBieImagePipeline.fromPretrained(folder, silent), message);
    });
  }
});
