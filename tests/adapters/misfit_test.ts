/** What does not fit is one message, and nothing is applied. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { AdapterError, readAdapter } from "../../src/adapters/mod.ts";
import { SafetensorsError, type TensorSource } from "../../src/safetensors/mod.ts";
import { saysSameInChinese } from "../_languages.ts";
import { temporaryFolder } from "../_folders.ts";
import { FOLDER, partsOf } from "./_cases.ts";
import { float32, lora, writeAdapter } from "./_written.ts";

const QKV = "lora_unet_layers_0_attention_qkv";
const QKV_SHAPE = [20, 12] as const;

/** The error of an adapter of these tensors. */
async function refused(tensors: readonly TensorSource[]): Promise<AdapterError> {
  await using folder = await temporaryFolder();
  const path = await writeAdapter(folder.path, tensors);
  return await errorOf(path);
}

async function errorOf(path: string): Promise<AdapterError> {
  const error = await readAdapter(path, await partsOf("base_12")).then(
    () => assert.fail(`${path} was read`),
    (error) => error,
  );
  assert(error instanceof AdapterError, String(error));
  assert(saysSameInChinese(error), error.explain("zh"));
  return error;
}

Deno.test("another model's adapter is told by its names, with their number", async () => {
  const sdxl = await refused([
    ...lora("lora_unet_down_blocks_1_attentions_0_proj_in", [32, 32]),
    ...lora("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", [32, 32]),
  ]);
  assert.match(sdxl.message, /4 of its 4 keys are at fault/);
  assert.match(
    sdxl.message,
    /4 keys name modules that the model does not have: lora_unet_down_blocks/,
  );
  assert.match(sdxl.message, /Stable Diffusion \(1\.5 or SDXL\)/);
  assert.match(sdxl.message, /layers\.0\.attention\.qkv/);
  const flux = await refused(lora("transformer.single_transformer_blocks.0.attn.to_q", [32, 32]));
  assert.match(flux.message, /FLUX/);
});

for (
  const [model, modules] of [
    ["FLUX", [
      "transformer.transformer_blocks.0.attn.to_q",
      "transformer.single_transformer_blocks.0.attn.to_q",
    ]],
    ["Stable Diffusion (1.5 or SDXL)", [
      "lora_te1_text_model_encoder_layers_0_mlp_fc1",
      "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q",
    ]],
    ["Wan, Cosmos or Anima", ["diffusion_model.blocks.0.self_attn.q"]],
    ["Wan, Cosmos or Anima", ["transformer.blocks.0.attn1.to_q"]],
    ["Wan, Cosmos or Anima", ["lora_unet_blocks_0_cross_attn_k"]],
    ["a model with transformer_blocks", ["transformer.transformer_blocks.0.attn.add_k_proj"]],
    ["HiDream", ["diffusion_model.double_stream_blocks.0.block.attn1.to_q"]],
  ] as const
) {
  Deno.test(`an adapter of ${modules.at(-1)} is one of ${model}`, async () => {
    const error = await refused(modules.flatMap((module) => lora(module, [32, 32])));
    assert(error.message.includes(`The names are those of ${model}`), error.message);
    assert(error.message.includes(`${2 * modules.length} of its ${2 * modules.length} keys`));
  });
}

Deno.test("an adapter of the same modules at another width is told by that", async () => {
  const zImage = await refused(lora("diffusion_model.layers.0.attention.to_q", [3840, 3840]));
  assert.match(zImage.message, /a width of 3840, that of Z-Image; this model's is 12\./);
  const published = await refused(lora("lora_unet_layers_0_attention_qkv", [3840, 2304]));
  assert.match(published.message, /2304, that of the published NewBie-image and of Lumina-Image/);
  const other = await refused(lora("lora_unet_layers_0_feed_forward_w1", [64, 24]));
  assert.match(other.message, /a width of 24; this model's is 12\./);
});

Deno.test("an embedding is told from an adapter", async () => {
  for (const names of [["emb_params"], ["clip_g", "clip_l"]]) {
    const error = await refused(names.map((name) => float32(name, [2, 8])));
    assert.match(error.message, /keys end as no adapter's do/);
    assert.match(error.message, /This is an embedding \(textual inversion\)/);
  }
});

Deno.test("tensors of a dtype that no weight has are named with it, and nothing else is", async () => {
  const [down, up] = lora(QKV, QKV_SHAPE);
  const bytes = () => [new Uint8Array(2 * 12)];
  const { message } = await refused([{ ...down!, dtype: "I8", bytes }, up!]);
  assert.match(
    message,
    /1 keys have a dtype that weights cannot have: \S+lora_down\.weight \(I8\)\n/,
  );
  assert.doesNotMatch(message, /without/);
});

Deno.test("values that are no finite numbers are refused where values are checked", async () => {
  await using folder = await temporaryFolder();
  for (const value of [NaN, Infinity, -Infinity]) {
    const [down, up] = lora(QKV, QKV_SHAPE);
    const odd = float32(up!.name, up!.shape, (index) => index === 7 ? value : index);
    const path = await writeAdapter(folder.path, [down!, odd]);
    const parts = await partsOf("base_12");
    await readAdapter(path, parts);
    const error = await readAdapter(path, parts, { compute: "float32" }).then(
      () => assert.fail("it was read"),
      (error) => error,
    );
    assert(error instanceof AdapterError);
    assert.match(
      error.message,
      /1 keys have values that are no finite numbers: \S+lora_up\.weight/,
    );
    assert(saysSameInChinese(error), error.explain("zh"));
  }
});

Deno.test("values that the type of arithmetic cannot hold are refused with what it can", async () => {
  await using folder = await temporaryFolder();
  const [down, up] = lora(QKV, QKV_SHAPE);
  const large = float32(up!.name, up!.shape, (index) => index === 7 ? -65536 : index);
  const path = await writeAdapter(folder.path, [down!, large]);
  const parts = await partsOf("base_12");
  for (const compute of ["float32", "bfloat16"] as const) {
    await readAdapter(path, parts, { compute });
  }
  const error = await readAdapter(path, parts, { compute: "float16" }).then(
    () => assert.fail("it was read"),
    (error) => error,
  );
  assert(error instanceof AdapterError);
  assert.match(error.message, /lora_up\.weight \(found -6\.55e\+4; float16 holds at most 65504\)/);
  assert(saysSameInChinese(error), error.explain("zh"));
});

Deno.test("an adapter of which half is unknown is refused as a whole", async () => {
  const error = await refused([
    ...lora(QKV, QKV_SHAPE),
    ...lora("lora_unet_layers_7_attention_qkv", QKV_SHAPE),
  ]);
  assert.match(error.message, /2 of its 4 keys/);
  assert.match(error.message, /lora_unet_layers_7_attention_qkv/);
  assert.deepEqual(error.problems.map(({ kind }) => kind), ["unknown", "unknown"]);
});

Deno.test("matrices of another model's dimensions are shown with what was expected", async () => {
  const error = await refused(lora(QKV, [4608, 24]));
  assert.match(error.message, /found \[4608, 2\] · \[2, 24\], expected \[20, 12\]/);
});

Deno.test("two halves of different ranks are refused", async () => {
  const error = await refused([
    float32(`${QKV}.lora_down.weight`, [3, 12]),
    float32(`${QKV}.lora_up.weight`, [20, 2]),
  ]);
  assert.match(error.message, /1 changes contradict themselves about their rank/);
});

Deno.test("half of a pair is named with what is missing", async () => {
  const [down, up] = lora(QKV, QKV_SHAPE);
  assert.match((await refused([down!])).message, /without lora_up/);
  assert.match((await refused([up!])).message, /without lora_down/);
  const lokr = await refused([
    float32(`${QKV}.lokr_w1`, [4, 3]),
    float32(`${QKV}.lokr_w2_a`, [5, 1]),
  ]);
  assert.match(lokr.message, /without lokr_w2_b/);
  const loha = await refused([float32(`${QKV}.hada_w1_a`, [20, 2])]);
  assert.match(loha.message, /without hada_w1_b/);
  assert.match((await refused([float32(`${QKV}.alpha`, [], () => 4)])).message, /alpha without/);
});

Deno.test("an alpha that is no number is refused, but where it counts for nothing", async () => {
  const alpha = (value: number) => float32(`${QKV}.alpha`, [], () => value);
  for (const value of [NaN, Infinity]) {
    const error = await refused([...lora(QKV, QKV_SHAPE), alpha(value)]);
    assert.match(error.message, /1 modules have an alpha that is no finite number/);
  }
  const two = await refused([...lora(QKV, QKV_SHAPE), float32(`${QKV}.alpha`, [2])]);
  assert.match(two.message, /no finite number/);
  // NewBie's trainer's rank of 114514, rounded to float16, is infinite.
  await using folder = await temporaryFolder();
  const path = await writeAdapter(folder.path, [
    float32(`${QKV}.lokr_w1`, [4, 3]),
    float32(`${QKV}.lokr_w2`, [5, 4]),
    alpha(Infinity),
  ]);
  const { parts } = await readAdapter(path, await partsOf("base_12"));
  const change = parts.get("transformer")![0]!.change;
  assert(change.kind === "kronecker" && change.scale === 1);
});

Deno.test("a module that is given twice, under two names or in two kinds, is refused", async () => {
  const names = await refused([
    ...lora(QKV, QKV_SHAPE),
    ...lora("diffusion_model.layers.0.attention.qkv", QKV_SHAPE),
  ]);
  assert.match(names.message, /2 keys say again/);
  const kinds = await refused([
    ...lora(QKV, QKV_SHAPE),
    float32(`${QKV}.lokr_w1`, [4, 3]),
    float32(`${QKV}.lokr_w2`, [5, 4]),
  ]);
  assert.match(kinds.message, /say again/);
});

for (
  const [kind, key] of [
    ["OFT", "oft_blocks"],
    ["OFT", "oft_R.weight"],
    ["BOFT", "boft_R"],
    ["GLoRA", "a1.weight"],
    ["IA3", "on_input"],
    ["VeRA", "vera_lambda_b"],
    ["LoCon with lora_mid", "lora_mid.weight"],
    ["LoRA of an embedding table", "lora_embedding_A"],
  ] as const
) {
  Deno.test(`${kind} (${key}) is refused by name`, async () => {
    const error = await refused([...lora(QKV, QKV_SHAPE), float32(`${QKV}.${key}`, [2, 2])]);
    assert.match(error.message, /1 keys are of a kind of adapter that is not read/);
    assert(error.message.includes(`(${kind})`), error.message);
  });
}

Deno.test("a text encoder's keys ask for the whole model where the transformer alone is given", async () => {
  const error = await refused([
    ...lora(QKV, QKV_SHAPE),
    ...lora("lora_te_layers_0_self_attn_q_proj", [8, 8]),
  ]);
  assert.match(error.message, /only the transformer was given: give the whole model/);
});

Deno.test("a bias that the model does not have is refused", async () => {
  const error = await refused([float32(`${QKV}.diff_b`, [20])]);
  assert.match(error.message, /1 biases are changed that the model does not have/);
});

Deno.test("a whole checkpoint is told from an adapter", async () => {
  const error = await errorOf(join(FOLDER, "base_12", "model.safetensors"));
  assert.match(error.message, /a whole checkpoint, not of an adapter.*--transformer/);
});

Deno.test("files that are no safetensors are refused in words for people", async () => {
  await using folder = await temporaryFolder();
  const pickle = join(folder.path, "lora.pt");
  await Deno.writeTextFile(pickle, "PK");
  assert.match((await errorOf(pickle)).message, /pickle.*not read/);
  assert.match((await errorOf(folder.path)).message, /no safetensors file/);
  const parts = await partsOf("base_12");
  await assert.rejects(readAdapter(join(folder.path, "none.safetensors"), parts), SafetensorsError);
  assert.match((await errorOf(await writeAdapter(folder.path, []))).message, /holds no tensor/);
});

/** A PEFT folder of one LoRA and a configuration. */
async function withConfig(config: unknown): Promise<AdapterError> {
  await using folder = await temporaryFolder();
  const path = await writeAdapter(
    folder.path,
    lora("base_model.model.layers.0.attention.qkv", QKV_SHAPE, {
      down: ".lora_A.weight",
      up: ".lora_B.weight",
    }),
  );
  await Deno.rename(path, join(folder.path, "adapter_model.safetensors"));
  const text = typeof config === "string" ? config : JSON.stringify(config);
  await Deno.writeTextFile(join(folder.path, "adapter_config.json"), text);
  return await errorOf(folder.path);
}

Deno.test("a configuration that means something else is refused by name", async () => {
  const message = async (config: unknown) => (await withConfig(config)).message;
  assert.match(await message({ peft_type: "OFT" }), /peft_type OFT is not read/);
  assert.match(
    await message({ init_lora_weights: "pissa_niter_16", r: 2 }),
    /pissa_niter_16 changes/,
  );
  assert.match(await message({ layer_replication: [[0, 2]], r: 2 }), /layer_replication/);
  assert.match(await message({ alora_invocation_tokens: [5], r: 2 }), /works from certain tokens/);
  assert.match(await message({ r: 8, lora_alpha: 8 }), /says 8, the tensors have 2/);
  assert.match(await message({ r: 2, lora_alpha: "much" }), /lora_alpha/);
  assert.match(await message({ r: 2, lora_alpha: 1e308 }), /alpha that is no finite.*\(1e\+308\)/);
  assert.match(await message({ r: 2, alpha_pattern: { "(?=a)": 2 } }), /look-ahead/);
  assert.match(await message("{"), /adapter_config\.json/);
  assert.match(await message([]), /not a JSON object/);
});

Deno.test("an expression that would backtrack for ever does not", async () => {
  const alpha_pattern = { [`(${"(.*)*".repeat(20)})+x`]: 3 };
  assert.match((await withConfig({ r: 9, alpha_pattern })).message, /says 9/);
});

Deno.test("names in messages cannot steer a terminal, however long they are", async () => {
  const error = await refused(lora(`\x1b[31m${"x".repeat(100_000)}`, [2, 2]));
  assert(!error.message.includes("\x1b"));
  assert(error.message.length < 5000);
});
