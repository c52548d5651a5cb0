/** The demo model's numbers: its files' sizes and headers, read with Python's safetensors 0.8.0. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { isSound, type ModelFacts, type Part, readModel } from "../../src/doctor/models.ts";
import { inTempFolder } from "../_folders.ts";
import { lowRank, writeAdapter } from "../pipeline/_adapter_files.ts";

const root = new URL("../..", import.meta.url).pathname;
const DEMO = join(root, "models/demo");

function part({ parts }: ModelFacts, name: string): Part {
  const part = parts.find((part) => part.name === name);
  assert(part !== undefined && isSound(part), JSON.stringify(part));
  return part;
}

/** A folder in which the demo model's parts stand in the published model's slots. */
async function slots(...names: readonly ("next-dit" | "transformer" | "clip_model" | "vae")[]) {
  const places = {
    "next-dit": "next-dit-3.5b",
    "transformer": "transformer/gemma-3-2b",
    "clip_model": "clip_model/jina-clip-v2",
    "vae": "vae/taesd",
  };
  const folder = await Deno.makeTempDir();
  for (const name of names) {
    const slot = join(folder, "models", places[name]);
    await Deno.mkdir(join(slot, ".."), { recursive: true });
    await Deno.symlink(join(DEMO, name), slot);
  }
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

Deno.test("the demo model's parts are read from their headers and configurations", async () => {
  const model = await readModel(DEMO);
  assert.equal(model.layout, "toolkit");
  assert.equal(model.isDemo, true);
  assert.equal(model.pictureSize, 256);
  assert.deepEqual(model.missing, []);
  // Python: sum(t.numel() for t in safetensors.torch.load_file(path).values())
  assert.deepEqual(
    model.parts.map((part) => isSound(part) && [part.name, part.parameters, part.dtypes.join()]),
    [
      ["transformer", 14_769_408, "BF16"],
      ["textEncoder", 4_310_272, "BF16"],
      ["clipModel", 1_293_312, "BF16"],
      ["vae", 2_458_899, "BF16"],
    ],
  );
  assert.deepEqual(part(model, "transformer").sequence, {
    tokens: 512,
    imageTokens: 256,
    width: 320,
    heads: 10,
  });
  assert.deepEqual(part(model, "vae").picture, { kind: "AutoencoderTiny", channels: 64 });
});

Deno.test("embedding tables, Gemma's last layer and the VAE's encoder stay off the device", async () => {
  const model = await readModel(DEMO);
  const off = (name: string) => part(model, name).parameters - part(model, name).deviceParameters;
  assert.equal(off("transformer"), 0);
  // A layer: q, k, v, out, three feed-forward matrices, four norms of the width, two of a head.
  const layer = 256 * 256 * 2 + 256 * 128 * 2 + 3 * 256 * 576 + 4 * 256 + 2 * 64;
  assert.equal(off("textEncoder"), 1833 * 256 + layer + 256);
  assert.equal(off("clipModel"), (937 + 1) * 192);
  // The values of its tensors named encoder.*, counted in Python.
  assert.equal(off("vae"), 1_229_456);
});

Deno.test("an AutoencoderKL's widest map is that before its last narrowing", async () => {
  await using temporary = await slots("next-dit", "transformer", "clip_model");
  const vae = join(temporary.folder, "models/vae/taesd");
  await Deno.mkdir(join(vae, ".."), { recursive: true });
  await Deno.symlink(join(DEMO, "vae-kl"), vae);
  const model = await readModel(temporary.folder);
  assert.equal(model.isDemo, false);
  assert.deepEqual(part(model, "vae").picture, { kind: "AutoencoderKL", channels: 112 });
});

Deno.test("of half a model, what is there is read and what is not is named", async () => {
  await using temporary = await slots("next-dit", "clip_model");
  const model = await readModel(temporary.folder);
  assert.equal(model.layout, undefined);
  assert.deepEqual(model.parts.map(({ name }) => name), ["transformer", "clipModel"]);
  assert.deepEqual(model.missing.map(({ path }) => path), [
    join(temporary.folder, "models/transformer/gemma-3-2b"),
    join(temporary.folder, "models/vae/taesd"),
  ]);
  const below = await readModel(join(temporary.folder, "models"));
  assert.deepEqual(below.missing.length, 2, "models/ itself may be named");
});

Deno.test("a transformer with CLIP conditioning misses its CLIP model", async () => {
  await using temporary = await slots("next-dit", "transformer", "vae");
  const { missing } = await readModel(temporary.folder);
  assert.deepEqual(missing.map(({ name, path }) => [name, path]), [
    ["clipModel", join(temporary.folder, "models/clip_model/jina-clip-v2")],
  ]);
});

Deno.test("a damaged file is a fact about its part, and the others are read", async () => {
  await using temporary = await slots("next-dit", "transformer", "clip_model");
  const vae = join(temporary.folder, "models/vae/taesd");
  await Deno.mkdir(vae, { recursive: true });
  await Deno.copyFile(join(DEMO, "vae/config.json"), join(vae, "config.json"));
  const bytes = await Deno.readFile(join(DEMO, "vae/model.safetensors"));
  await Deno.writeFile(join(vae, "model.safetensors"), bytes.subarray(0, bytes.length / 2));
  const { parts } = await readModel(temporary.folder);
  const damaged = parts.filter((part) => !isSound(part));
  assert.deepEqual(damaged.map(({ name }) => name), ["vae"]);
  assert.match(JSON.stringify(damaged), /model\.safetensors/);
  const chinese = await readModel(temporary.folder, "zh");
  assert.match(JSON.stringify(chinese.parts), /model\.safetensors：.*超出了文件，文件只有/);
});

Deno.test("an empty folder holds no model, and nothing of one", async () => {
  await using temporary = await slots();
  const { problem, parts, missing } = await readModel(temporary.folder);
  assert.match(problem!, /No model was found/);
  assert.match((await readModel(temporary.folder, "zh")).problem!, /里没有找到模型/);
  assert.deepEqual([parts, missing], [[], []]);
});

Deno.test("adapters are listed with their format, and what does not fit the model with the reason", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/models/loras`, { recursive: true });
    await Deno.symlink(new URL("../../models/demo", import.meta.url), `${folder}/models/demo`);
    const matrix = lowRank("layers.0.attention.out.weight", [320, 320]);
    await writeAdapter(`${folder}/models/loras/style.safetensors`, [matrix]);
    const foreign = lowRank("single_blocks.0.linear1.weight", [8, 8]);
    await writeAdapter(`${folder}/models/loras/flux.safetensors`, [foreign]);
    const { adapters = [] } = await readModel(folder);
    const own = adapters.filter(({ path }) => path.startsWith(folder));
    assert.deepEqual(own.map(({ name, format, parts }) => [name, format, parts]), [
      ["flux", undefined, []],
      ["style", "comfyui", ["transformer"]],
    ]);
    assert.match(own[0]!.problem!, /flux\.safetensors/);
    assert.equal(own[1]!.problem, undefined);
  });
});
