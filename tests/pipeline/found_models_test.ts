/** Checkpoints as people have them: other names, other models beside them, other programs' habits. */
import assert from "node:assert/strict";
import type { NewBieError } from "../../src/errors.ts";
import { type ModelFamily, NEWBIE } from "../../src/families/mod.ts";
import { checkCheckpoint } from "../../src/pipeline/check_checkpoint.ts";
import { findCheckpoint } from "../../src/pipeline/checkpoint/find_checkpoint.ts";
import { inTempFolder } from "../_folders.ts";
import { readJson } from "../_fixtures.ts";
import { latents } from "./_latents.ts";
import {
  COMFYUI,
  readTensors,
  renamed,
  type Stored,
  writeComfyUi,
  writePipeline,
  writeTensors,
} from "./_rewritten.ts";

const DIT = `${COMFYUI.transformer[1]}.safetensors`;
const GEMMA = `${COMFYUI.textEncoder[1]}.safetensors`;

const expected = await latents("models/demo");

Deno.test("a network is known under whatever wrappers and programs write before its names", async () => {
  const original = await readTensors("models/demo/next-dit/model.safetensors");
  const rewrites: ((name: string) => string)[] = [
    "net.",
    "model.model.",
    "model.diffusion_model.",
    "base_model.model._orig_mod.module.",
  ].map((prefix) => (name: string) => prefix + name);
  // torch.compile, block by block.
  rewrites.push((name) => name.replace(/^layers\.\d+\./, "$&_orig_mod."));
  for (const rewrite of rewrites) {
    await inTempFolder(async (folder) => {
      await writeComfyUi(folder);
      await writeTensors(`${folder}/${DIT}`, renamed(original, rewrite));
      assert.deepEqual(await latents(folder), expected, rewrite("layers.0.x"));
    });
  }
});

Deno.test("an average of the weights beside them is not what is meant", async () => {
  await inTempFolder(async (folder) => {
    await writeComfyUi(folder);
    const original = await readTensors("models/demo/next-dit/model.safetensors");
    const average = Object.fromEntries(
      Object.entries(original).map(([name, value]) => {
        return [`ema.${name}`, { ...value, bytes: new Uint8Array(value.bytes.length) }];
      }),
    );
    const weights = renamed(original, (name) => `model.${name}`);
    await writeTensors(`${folder}/${DIT}`, { ...average, ...weights });
    assert.deepEqual(await latents(folder), expected);
  });
});

/** What diffusers' conversion (huggingface/diffusers, pull request 12803) calls upstream's names. */
function diffusersName(name: string): string {
  return name
    .replace("cap_embedder.", "time_caption_embed.caption_embedder.")
    .replace("t_embedder.mlp.0", "time_caption_embed.timestep_embedder.linear_1")
    .replace("t_embedder.mlp.2", "time_caption_embed.timestep_embedder.linear_2")
    .replace("final_layer.adaLN_modulation.1", "norm_out.linear_1")
    .replace("final_layer.linear", "norm_out.linear_2")
    .replace("attention.out", "attn.to_out.0")
    .replace(/attention\.([qk])_norm/, "attn.norm_$1")
    .replace(/^(layers|noise_refiner)(.*)attention_norm1/, "$1$2norm1.norm")
    .replace(/attention_norm([12])/, "norm$1")
    .replace("adaLN_modulation.1", "norm1.linear")
    .replace(/feed_forward\.w(\d)/, "feed_forward.linear_$1");
}

Deno.test("diffusers' conversion draws the same, its queries, keys and values apart", async () => {
  await inTempFolder(async (folder) => {
    await writePipeline(folder);
    const config = await readJson<Record<string, number>>("models/demo/next-dit/config.json");
    const headDim = config.dim! / config.n_heads!;
    const tensors: Record<string, Stored> = {};
    const original = await readTensors("models/demo/next-dit/model.safetensors");
    for (const [name, value] of Object.entries(original)) {
      if (!name.endsWith("attention.qkv.weight")) {
        tensors[diffusersName(name)] = value;
        continue;
      }
      let row = 0;
      const bytesOfRow = value.bytes.length / value.shape[0]!;
      const heads = [config.n_heads!, config.n_kv_heads!, config.n_kv_heads!];
      for (const [index, letter] of ["q", "k", "v"].entries()) {
        const rows = heads[index]! * headDim;
        tensors[name.replace("attention.qkv", `attn.to_${letter}`)] = {
          dtype: value.dtype,
          shape: [rows, value.shape[1]!],
          bytes: value.bytes.subarray(row * bytesOfRow, (row + rows) * bytesOfRow),
        };
        row += rows;
      }
    }
    await Deno.remove(`${folder}/transformer/model.safetensors`);
    await writeTensors(`${folder}/transformer/diffusion_pytorch_model.safetensors`, tensors);
    const {
      dim: hidden_size,
      n_layers: num_layers,
      n_refiner_layers: num_refiner_layers,
      n_heads: num_attention_heads,
      n_kv_heads: num_kv_heads,
      axes_dims: axes_dim_rope,
      clip_text_dim: pooled_projection_dim,
      _class_name: _,
      ...same
    } = config;
    const converted = {
      ...same,
      _class_name: "Lumina2Transformer2DModel",
      hidden_size,
      num_layers,
      num_refiner_layers,
      num_attention_heads,
      num_kv_heads,
      axes_dim_rope,
      pooled_projection_dim,
    };
    await Deno.writeTextFile(`${folder}/transformer/config.json`, JSON.stringify(converted));
    await Deno.rename(`${folder}/clip_model`, `${folder}/text_encoder_2`);
    for (
      const [encoder, tokenizer] of [["text_encoder", "tokenizer"], [
        "text_encoder_2",
        "tokenizer_2",
      ]]
    ) {
      await Deno.mkdir(`${folder}/${tokenizer}`);
      for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
        await Deno.rename(`${folder}/${encoder}/${file}`, `${folder}/${tokenizer}/${file}`);
      }
    }
    assert.deepEqual(await latents(folder), expected);
  });
});

Deno.test("of other models' files beside them, those are taken that fit each other", async () => {
  await inTempFolder(async (folder) => {
    await writeComfyUi(folder);
    const original = await readTensors(`${folder}/${DIT}`);
    const gemma = await readTensors(`${folder}/${GEMMA}`);
    // Qwen 3 has norms of queries and keys too, but none around its feed-forward.
    const qwen = Object.entries(gemma).filter(([name]) => !name.includes("_feedforward_layernorm"));
    await writeTensors(`${folder}/text_encoders/qwen.safetensors`, Object.fromEntries(qwen));
    // Z-Image is named as NewBie is, and has padding of its own.
    const padding = { dtype: "BF16", shape: [1, 4], bytes: new Uint8Array(8) };
    const zImage = { ...original, cap_pad_token: padding };
    await writeTensors(`${folder}/diffusion_models/z_image.safetensors`, zImage);
    // The same network in eight bits lost something.
    const eightBits = Object.entries(original).map(([name, { shape, bytes }]) => {
      return [name, { dtype: "F8_E4M3", shape, bytes: bytes.subarray(bytes.length / 2) }] as const;
    });
    await writeTensors(`${folder}/unet/fp8.safetensors`, Object.fromEntries(eightBits));
    await Deno.copyFile("models/demo/next-dit/config.json", `${folder}/unet/fp8.json`);
    // Stable Diffusion's latents have four channels.
    await Deno.copyFile(
      "tests/fixtures/autoencoder_tiny/taesd_like/model.safetensors",
      `${folder}/vae/taesd.safetensors`,
    );
    await Deno.mkdir(`${folder}/loras`);
    await Deno.copyFile(`${folder}/${DIT}`, `${folder}/loras/style.safetensors`);
    // A Mac's companions, a link that leads back, and one that leads nowhere.
    await Deno.writeTextFile(`${folder}/vae/._ae.safetensors`, "Mac OS X");
    await Deno.symlink("..", `${folder}/vae/again`);
    await Deno.symlink("nowhere", `${folder}/vae/gone.safetensors`);
    assert.deepEqual(await latents(folder), expected);
  });
});

Deno.test("files are found below ComfyUI's folders, whatever the case of their endings", async () => {
  await inTempFolder(async (folder) => {
    await writeComfyUi(`${folder}/models`);
    const [from, to] = [
      `${folder}/models/diffusion_models`,
      `${folder}/models/diffusion_models/a b`,
    ];
    await Deno.mkdir(to);
    await Deno.rename(`${from}/newbie.safetensors`, `${to}/newbie.SAFETENSORS`);
    await Deno.rename(`${from}/newbie.json`, `${to}/newbie.json`);
    await Deno.rename(`${folder}/models/vae/ae.safetensors`, `${folder}/models/vae/ae.sft`);
    const { transformer, vae } = await checkCheckpoint(folder);
    assert.equal(transformer.weights, `${to}/newbie.SAFETENSORS`);
    assert.equal(vae.weights, `${folder}/models/vae/ae.sft`);
  });
});

Deno.test("one file of checkpoints/ may hold all parts", async () => {
  await inTempFolder(async (folder) => {
    await writeComfyUi(`${folder}/single`);
    const prefixes = {
      transformer: "model.diffusion_model.",
      textEncoder: "text_encoders.gemma3_4b.transformer.",
      clipModel: "text_encoders.jina_clip.transformer.",
      vae: "first_stage_model.",
    };
    const slots = {
      transformer: "transformer",
      textEncoder: "text_encoder",
      clipModel: "clip_model",
      vae: "vae",
    };
    const all: Record<string, Stored> = {};
    const file = `${folder}/checkpoints/all`;
    await Deno.mkdir(`${folder}/checkpoints`);
    for (const part of ["transformer", "textEncoder", "clipModel", "vae"] as const) {
      const source = `models/demo/${COMFYUI[part][0]}`;
      const tensors = await readTensors(`${source}/model.safetensors`);
      Object.assign(all, renamed(tensors, (name) => prefixes[part] + name));
      await Deno.copyFile(`${source}/config.json`, `${file}.${slots[part]}.json`);
      if (part === "transformer" || part === "vae") continue;
      await Deno.copyFile(`${source}/tokenizer.json`, `${file}.${slots[part]}.tokenizer.json`);
    }
    await Deno.remove(`${folder}/single`, { recursive: true });
    await writeTensors(`${file}.safetensors`, all);
    assert.deepEqual(await latents(folder), expected);
    assert.deepEqual(await latents(`${file}.safetensors`), expected);
  });
});

Deno.test("an option names one file where several would do, and nothing else is taken then", async () => {
  await inTempFolder(async (folder) => {
    await writeComfyUi(folder);
    const other = `${folder}/diffusion_models/other`;
    await Deno.copyFile(`${folder}/${DIT}`, `${other}.safetensors`);
    await Deno.copyFile(`${folder}/${COMFYUI.transformer[1]}.json`, `${other}.json`);
    await assert.rejects(
      findCheckpoint(folder),
      /several files could be the transformer \(.*newbie.*, .*other.*\): name one with --transformer/,
    );
    const transformer = `${other}.safetensors`;
    assert.deepEqual(await latents(folder, { transformer }), expected);
    const vae = "models/demo/vae-kl";
    const found = await findCheckpoint(folder, { parts: { transformer, vae } });
    assert.deepEqual(found.vae, { weights: vae, config: `${vae}/config.json` });
    await assert.rejects(
      findCheckpoint(folder, { parts: { transformer: vae } }),
      /vae-kl has no transformer of NewBie-image/,
    );
    await assert.rejects(
      findCheckpoint(folder, { parts: { transformer: `${folder}/none` } }),
      /none, named with --transformer, does not exist/,
    );
  });
  // The other layouts take named parts too.
  const { vae } = await findCheckpoint("models/demo", { parts: { vae: "models/demo/vae-kl" } });
  assert.equal(vae.weights, "models/demo/vae-kl");
});

Deno.test("a variant is taken of the parts that have it", async () => {
  await inTempFolder(async (folder) => {
    await writePipeline(folder);
    const full = `${folder}/transformer/model.safetensors`;
    await Deno.copyFile(full, `${folder}/transformer/model.fp16.safetensors`);
    const of = async (variant?: string) => {
      const { transformer, vae } = await findCheckpoint(folder, { variant });
      return [transformer.weights, vae.weights];
    };
    assert.deepEqual(await of(), [`${folder}/transformer`, `${folder}/vae`]);
    const half = `${folder}/transformer/model.fp16.safetensors`;
    assert.deepEqual(await of("fp16"), [half, `${folder}/vae`]);
    await assert.rejects(of("bf16"), /No part .* variant bf16/);
    assert.deepEqual(await latents(folder, { variant: "fp16" }), expected);
  });
});

Deno.test("what no graph reads does no harm; what is asked for and wrong is named", async () => {
  await inTempFolder(async (folder) => {
    await writePipeline(folder);
    const path = `${folder}/transformer/model.safetensors`;
    const tensors = await readTensors(path);
    const buffer = { dtype: "I64", shape: [2], bytes: new Uint8Array(16) };
    await writeTensors(path, { ...tensors, "rope.position_ids": buffer });
    await checkCheckpoint(folder);
    const name = "layers.0.attention.out.weight";
    const { shape, bytes } = tensors[name]!;
    const integers = { dtype: "I64", shape, bytes: new Uint8Array(4 * bytes.length) };
    await writeTensors(path, { ...tensors, [name]: integers });
    await assert.rejects(
      checkCheckpoint(folder),
      /transformer: .*must be F32, F16, BF16, F8_E4M3, F8_E5M2 or I8 with a scale, but tensor "layers\.0\.attention\.out\.weight" is I64/,
    );
  });
});

Deno.test("what is not recognised is refused as that, and no other part is blamed", async () => {
  await inTempFolder(async (folder) => {
    await writePipeline(folder);
    const path = `${folder}/transformer/model.safetensors`;
    const tensors = await readTensors(path);
    await writeTensors(path, renamed(tensors, (name) => name.replace("x_embedder", "patchify")));
    await Deno.writeTextFile(`${folder}/transformer/config.json`, "{}");
    await assert.rejects(
      checkCheckpoint(folder),
      /transformer\/model\.safetensors: these are not the weights of the transformer of NewBie-image; its tensors are called "cap_embedder/,
    );
    // As torchao names the parts of a matrix.
    const apart = (name: string) => name.replace(/(feed_forward\.w\d\.)weight$/, "$1_weight_qdata");
    await writeTensors(path, renamed(tensors, apart));
    await assert.rejects(
      checkCheckpoint(folder),
      /transformer\/model\.safetensors: its matrices are .* a form that is not read \(torchao\)/,
    );
    // Known, but its configuration states nothing: no default is taken for a fact.
    await writeTensors(path, tensors);
    await assert.rejects(
      checkCheckpoint(folder),
      /transformer\/config\.json: nothing says axes_dims/,
    );
  });
});

Deno.test("where a folder was not the one that is meant, the message names that", async () => {
  await inTempFolder(async (folder) => {
    await writePipeline(`${folder}/newbie`);
    await assert.rejects(
      findCheckpoint(folder),
      (error: NewBieError) =>
        error.message.includes(`one folder deeper there is: ${folder}/newbie. Give`) &&
        error.explain("zh").includes(`再往里一层有：${folder}/newbie`),
    );
    await assert.rejects(
      findCheckpoint(`${folder}/newbie/transformer`),
      (error: NewBieError) =>
        error.message.includes(`is one part of the model in ${folder}/newbie. Give`) &&
        error.explain("zh").includes(`只是 ${folder}/newbie 中模型的一个部件`),
    );
    // Under another name it is a file with its configuration beside it.
    await Deno.rename(`${folder}/newbie/transformer`, `${folder}/alone`);
    await assert.rejects(
      findCheckpoint(`${folder}/alone`),
      (error: NewBieError) =>
        /no file has the tensors of the text encoder/.test(error.message) &&
        !/axes_dims|of the transformer/.test(error.message),
    );
  });
  await inTempFolder(async (folder) => {
    await writeComfyUi(folder);
    const path = `${folder}/${DIT}`;
    const pickle = path.replace("safetensors", "ckpt");
    await Deno.rename(path, pickle);
    await assert.rejects(
      findCheckpoint(folder),
      (error: NewBieError) => error.message.includes(`Not considered: ${pickle}: is a pickle`),
    );
  });
});

Deno.test("counts and widths beyond the tensors that are there are refused before anything is built", async () => {
  const wrong: readonly [part: string, change: Record<string, unknown>, message: RegExp][] = [
    ["transformer", { n_layers: 1e9 }, /n_layers is 1000000000, but .* has \d+ tensors in all/],
    ["transformer", { dim: 1e12 }, /transformer\/config\.json/],
    ["transformer", { n_layers: 2 }, /n_layers is 2, but the weights have 8/],
    ["text_encoder", { num_hidden_layers: 1e9 }, /num_hidden_layers is 1000000000, but/],
    ["text_encoder", { vocab_size: 1e12 }, /vocab_size is 1000000000000, but no tensor/],
    ["clip_model", { num_hidden_layers: 1e9 }, /num_hidden_layers is 1000000000, but/],
    ["vae", { num_decoder_blocks: [1e9, 3, 3, 1] }, /num_decoder_blocks is 1000000000, but/],
  ];
  for (const [part, change, message] of wrong) {
    await inTempFolder(async (folder) => {
      await writePipeline(folder);
      const path = `${folder}/${part}/config.json`;
      const config = await readJson<Record<string, unknown>>(path);
      await Deno.writeTextFile(path, JSON.stringify({ ...config, ...change }));
      await assert.rejects(checkCheckpoint(folder), message);
    });
  }
});

Deno.test("a second family is one more object: its slots and its networks are looked for", async () => {
  const [transformer, ...others] = ["dit", "words", "clip", "decoder"];
  const other: ModelFamily = {
    ...NEWBIE,
    name: "Made-up",
    slots: {
      ...NEWBIE.slots,
      toolkit: {
        transformer: transformer!,
        textEncoder: others[0]!,
        clipModel: others[1]!,
        vae: others[2]!,
      },
    },
    networks: {
      ...NEWBIE.networks,
      transformer: {
        ...NEWBIE.networks.transformer,
        names: (weights) =>
          weights.tensors.has("made.up") ? NEWBIE.networks.transformer.names(weights) : undefined,
      },
    },
  };
  const families = [other, NEWBIE];
  await inTempFolder(async (folder) => {
    for (const slot of Object.values(other.slots.toolkit)) {
      await Deno.mkdir(`${folder}/models/${slot}`, { recursive: true });
    }
    const found = await findCheckpoint(folder, { families });
    assert.equal(found.family.name, "Made-up");
    assert.equal(found.transformer.weights, `${folder}/models/dit`);
    await assert.rejects(findCheckpoint(folder), /No model was found/);
  });
  await inTempFolder(async (folder) => {
    await writeComfyUi(folder);
    assert.equal((await findCheckpoint(folder, { families: [NEWBIE, other] })).family, NEWBIE);
  });
  // Both know these folders; the tensors tell whose they are.
  assert.equal((await findCheckpoint("models/demo", { families })).family, NEWBIE);
});
