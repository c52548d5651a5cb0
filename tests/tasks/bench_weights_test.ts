/**
 * Names are compared with the checkpoints that tests/reference made from the reference
 * implementations, counts with those of the published checkpoints (as src/pipeline/checkpoint/memory.ts has them).
 */
import assert from "node:assert/strict";
import {
  type PartConfig,
  type PartName,
  planPart,
  writeRandomWeights,
} from "../../tasks/checkout/random_weights.ts";
import { NEWBIE } from "../../src/families/mod.ts";
import { RequestError } from "../../src/errors.ts";
import { NewBieImagePipeline } from "../../src/pipeline/pipeline.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { elementCount } from "../../src/tensor.ts";
import { fixture, readJson, readTensors } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { ROOT, runTask } from "./_task_command.ts";

const TOKENIZERS = new URL("models/demo", ROOT).pathname;
/** More rows than the demo model's tokenizers have tokens. */
const VOCABULARY = 2000;

const NAMES_FROM: Readonly<Record<PartName, { folder: string; unused: readonly string[] }>> = {
  transformer: { folder: "next_dit/clip_gqa", unused: ["norm_final.weight"] },
  text_encoder: { folder: "gemma3/flat_version_5", unused: ["model.norm.weight"] },
  clip_model: { folder: "jina_clip/repacked", unused: [] },
  vae: { folder: "autoencoder_tiny_encoder/taesd_like", unused: [] },
  vae_kl: { folder: "autoencoder_kl_encoder/flux_like", unused: [] },
};

for (const [part, { folder, unused }] of Object.entries(NAMES_FROM)) {
  Deno.test(`random weights are named as published, layer for layer: ${part}`, async () => {
    const anyLayer = (names: Iterable<string>) =>
      [...new Set([...names].map((name) => name.replace(/\d+/g, "N")))].sort();
    const { tensors } = await openWeights(fixture(folder));
    const { shapes } = planPart(part as PartName);
    assert.deepEqual(anyLayer([...shapes.keys(), ...unused]), anyLayer(tensors.keys()));
  });
}

Deno.test("random weights have as many parameters as the published model", () => {
  const planned = (part: PartName) =>
    planPart(part).shapes.values().reduce((sum, shape) => sum + elementCount(shape), 0);
  const published = (name: string) => NEWBIE.published.parts.find((part) => part.name === name)!;
  const gemmaFinalNorm = 2560;
  assert.equal(planned("transformer"), published("transformer").parameters);
  assert.equal(planned("text_encoder"), published("textEncoder").parameters - gemmaFinalNorm);
  assert.equal(planned("clip_model"), published("clipModel").parameters);
  assert.equal(planned("vae_kl"), published("vae").parameters);
});

/** The configurations of a model of a few kilobytes. */
async function smallConfigs(): Promise<Partial<Record<PartName, PartConfig>>> {
  const config = (part: string) =>
    readJson<PartConfig>(fixture(`pipeline/tiny/${part}/config.json`));
  return {
    transformer: await config("transformer"),
    text_encoder: await config("text_encoder"),
    clip_model: await config("clip_model"),
    vae: await config("vae"),
  };
}

async function writeSmall(folder: string, seed: number) {
  const options = { vocabulary: VOCABULARY, layers: 2, seed, tokenizers: TOKENIZERS };
  const configs = await smallConfigs();
  const parts = Object.keys(configs) as PartName[];
  return await writeRandomWeights(folder, { ...options, configs, parts });
}

Deno.test("random weights load and draw through the ordinary pipeline", async () => {
  await inTempFolder(async (folder) => {
    const parts = await writeSmall(`${folder}/model`, 1);
    for (const { folder, bytes } of parts) {
      const [file] = (await openWeights(folder)).files;
      assert.equal((await Deno.stat(file!)).size, bytes);
    }
    await using pipe = await NewBieImagePipeline.fromPretrained(`${folder}/model`, {
      log: () => {},
    });
    const { images: [latents] } = await pipe.generate({
      prompt: "1girl, smile",
      height: 32,
      width: 32,
      numInferenceSteps: 2,
      generator: { seed: 1 },
      outputType: "latent",
    });
    assert(latents!.data.every((value) => Number.isFinite(value)));
    const picture = await pipe.decodeLatents(latents!);
    assert(new Set(picture.data).size > 100, "the picture is empty");
  });
});

Deno.test("random weights are normal by their inputs, and the same for the same seed alone", async () => {
  await inTempFolder(async (folder) => {
    for (const [name, seed] of [["a", 1], ["b", 1], ["c", 2]] as const) {
      await writeSmall(`${folder}/${name}`, seed);
    }
    const file = (name: string) =>
      `${folder}/${name}/next-dit-3.5b/diffusion_pytorch_model.safetensors`;
    const bytes = await Promise.all(["a", "b", "c"].map((name) => Deno.readFile(file(name))));
    assert.deepEqual(bytes[0], bytes[1]);
    assert.notDeepEqual(bytes[0], bytes[2]);

    const { data, dims } = (await readTensors(file("a")))("layers.0.feed_forward.w1.weight");
    const variance = data.reduce((sum, value) => sum + value ** 2, 0) / data.length;
    // 768 values: a sample's variance lies within 5 deviations of √(2 / 768) almost always.
    assert(Math.abs(variance * dims[1]! - 1) < 5 * Math.sqrt(2 / data.length), `${variance}`);
  });
});

Deno.test("nothing is overwritten, and what fails leaves nothing behind", async () => {
  await inTempFolder(async (folder) => {
    const configs = await smallConfigs();
    const options = { configs, vocabulary: VOCABULARY, tokenizers: `${folder}/nowhere` };
    await Deno.mkdir(`${folder}/vae/taesd`, { recursive: true });
    await assert.rejects(
      writeRandomWeights(folder, { ...options, parts: ["text_encoder", "vae"] }),
      (error) => error instanceof RequestError && /vae\/taesd is there already/.test(error.message),
    );
    await assert.rejects(writeRandomWeights(folder, { ...options, parts: ["clip_model"] }));
    const left = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.deepEqual(left.sort(), ["clip_model", "vae"]);
    assert.deepEqual([...Deno.readDirSync(`${folder}/clip_model`)], []);
  });
});

Deno.test("deno task bench:weights writes a part, and refuses parts that there are not", async () => {
  const run = (...args: string[]) => runTask("bench:weights", args);
  await inTempFolder(async (folder) => {
    const done = await run(folder, "--only", "vae", "--json");
    assert.equal(done.code, 0, done.err);
    const { parts: [vae] } = JSON.parse(done.out);
    // diffusers' AutoencoderTiny with 16 latent channels: decoder's and encoder's parameters.
    assert.deepEqual([vae.part, vae.parameters], ["vae", 1_229_443 + 1_229_456]);
    assert.equal((await openWeights(vae.folder)).tensors.size, vae.tensors);

    const unknown = await run(folder, "--only", "vae,unet");
    assert.equal(unknown.code, 2);
    assert.match(unknown.err, /--only/);
    assert.equal((await run(folder, "--only", "vae")).code, 2);
    assert.equal((await run("--layers", "0", folder)).code, 2);
  });
});
