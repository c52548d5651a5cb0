/**
 * Runs `deno task graph` as a user does. Written files are read back by onnx-proto and run by ONNX
 * Runtime from the disk; their numbers are to be those of the pipeline.
 */
import assert from "node:assert/strict";
import proto from "onnx-proto";
import * as ort from "onnxruntime-node";
import { NewBieImagePipeline, tensor } from "../../src/mod.ts";
import { jinaClipRopeTables, parseJinaClipConfig } from "../../src/models/jina_clip.ts";
import { parseNextDiTConfig } from "../../src/models/next_dit_config.ts";
import { nextDiTRopeTables } from "../../src/models/next_dit_rope.ts";
import { openWeights, RowReader } from "../../src/safetensors/mod.ts";
import type { Tensor } from "../../src/tensor.ts";
import { loadTokenizer } from "../../src/tokenizer/mod.ts";
import { assertClose } from "../_fixtures.ts";
import { filesBelow, inTempFolder } from "../_folders.ts";
import { ROOT, runTask } from "./_task_command.ts";

const DEMO = new URL("models/demo/", ROOT).pathname;
/** The temporary folder may be on another disk than the weights. */
const SCRATCH = new URL("outputs/", ROOT).pathname;

const graph = (...args: string[]) => runTask("graph", args);

async function inScratch(use: (folder: string) => Promise<void>): Promise<void> {
  await Deno.mkdir(SCRATCH, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: SCRATCH });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes a graph and runs it from its file. */
async function runFromFile(
  part: string,
  folder: string,
  feeds: Readonly<Record<string, Tensor | ort.Tensor>>,
): Promise<Record<string, Tensor>> {
  const file = `${folder}/${part}.onnx`;
  const { code, out, err } = await graph(part, "--model", DEMO, "--out", file, "--json");
  assert.equal(code, 0, err);
  const { inputs } = JSON.parse(out) as { inputs: { name: string }[] };
  const session = await ort.InferenceSession.create(file);
  try {
    const results = await session.run(Object.fromEntries(inputs.map(({ name }) => {
      const feed = feeds[name];
      assert(feed !== undefined, name);
      return [name, feed instanceof ort.Tensor ? feed : new ort.Tensor(feed.data, feed.dims)];
    })));
    return Object.fromEntries(
      Object.entries(results).filter(([, { type }]) => type === "float32")
        .map(([name, { data, dims }]) => [name, tensor(data as Float32Array, [...dims])]),
    );
  } finally {
    await session.release();
  }
}

/** A part's configuration as its network reads it. */
async function opened<C>(
  name: string,
  parse: (json: unknown, file: string, weights: Awaited<ReturnType<typeof openWeights>>) => C,
) {
  const weights = await openWeights(`${DEMO}${name}`);
  const file = `${DEMO}${name}/config.json`;
  return { weights, config: parse(JSON.parse(await Deno.readTextFile(file)), file, weights) };
}

Deno.test("the decoder's file decodes what the pipeline decodes", async () => {
  await using pipe = await NewBieImagePipeline.fromPretrained(DEMO, { log: () => {} });
  const latents = pipe.prepareLatents({ height: 64, width: 96, generator: { seed: 3 } });
  const expected = await pipe.decodeLatents(latents);
  await inScratch(async (folder) => {
    const { image } = await runFromFile("vae", folder, { latents });
    assertClose(image!, expected, 1e-6, "image");
  });
});

Deno.test("the transformer's two files predict the velocity that the pipeline predicts", async () => {
  await using pipe = await NewBieImagePipeline.fromPretrained(DEMO, { log: () => {} });
  const latents = pipe.prepareLatents({ height: 64, width: 96, generator: { seed: 3 } });
  const { promptEmbeds, pooledPromptEmbeds } = await pipe.encodePrompt({ prompt: "1girl, solo" });
  const timestep = 0.25;
  const embeds = { promptEmbeds, pooledPromptEmbeds };
  const expected = await pipe.predictVelocity({ latents, timestep, ...embeds });
  const { config } = await opened("next-dit", parseNextDiTConfig);
  const [, , height, width] = latents.dims as [number, number, number, number];
  const [rows, columns] = [height / config.patch_size, width / config.patch_size];
  const length = promptEmbeds.dims[1]!;
  const { caption: text, image } = nextDiTRopeTables(config, length, rows, columns);
  const tables = {
    caption_cos: text.cos,
    caption_sin: text.sin,
    image_cos: image.cos,
    image_sin: image.sin,
  };
  const integers = (...values: number[]) =>
    new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [values.length]);
  await inScratch(async (folder) => {
    const { caption, pooled } = await runFromFile("transformer-text", folder, {
      ...tables,
      caption_features: promptEmbeds,
      pooled_features: pooledPromptEmbeds!,
    });
    const { velocity } = await runFromFile("transformer", folder, {
      ...tables,
      latents,
      timestep: tensor(Float32Array.of(timestep), [1]),
      caption: caption!,
      pooled: pooled!,
      caption_length: integers(length),
      patch_grid: integers(1, rows, columns, config.patch_size ** 2 * config.in_channels),
    });
    assertClose(velocity!, expected, 1e-6, "velocity");
  });
});

Deno.test("the CLIP model's file encodes a prompt as the pipeline does", async () => {
  await using pipe = await NewBieImagePipeline.fromPretrained(DEMO, { log: () => {} });
  const prompt = "1girl, solo";
  const { pooledPromptEmbeds } = await pipe.encodePrompt({ prompt, raw: true });
  const { weights, config } = await opened("clip_model", parseJinaClipConfig);
  const ids = (await loadTokenizer(`${DEMO}clip_model`)).encode(prompt);
  const entry = [...weights.tensors.values()].find(({ name }) =>
    name.endsWith("word_embeddings.weight")
  );
  await using rows = await RowReader.open(entry!);
  const embeddings = tensor(await rows.read(ids), [1, ids.length, config.hidden_size]);
  const tables = jinaClipRopeTables(config, ids.length);
  await inScratch(async (folder) => {
    const { pooled } = await runFromFile("clip-model", folder, { embeddings, ...tables });
    assertClose(pooled!, pooledPromptEmbeds!, 1e-6, "pooled");
  });
});

Deno.test("--json tells what the file holds: inputs, outputs, operators, weights", async () => {
  await inScratch(async (folder) => {
    const file = `${folder}/new/text.onnx`;
    const { code, out, err } = await graph(
      "text-encoder",
      "--model",
      DEMO,
      "--out",
      file,
      "--json",
    );
    assert.equal(code, 0, err);
    const told = JSON.parse(out);
    const model = proto.onnx.ModelProto.decode(await Deno.readFile(file));
    const { node, input, output, initializer } = model.graph!;
    const names = (list: readonly { name?: string | null }[]) => list.map(({ name }) => name);
    assert.deepEqual(names(told.inputs), names(input!));
    assert.deepEqual(names(told.outputs), names(output!));
    assert.equal(told.nodes, node!.length);
    const attentions = node!.filter(({ opType }) => opType === "Attention").length;
    assert(attentions > 0);
    assert.deepEqual(
      told.operators.find(({ name }: { name: string }) => name === "Attention"),
      { name: "Attention", count: attentions },
    );
    const external = initializer!.filter(({ externalData }) => externalData!.length > 0);
    assert.equal(told.weights.count, external.length);
    // Each lies below the graph's folder, within the file that it names.
    for (const { name, externalData } of external) {
      const value = (key: string) => externalData!.find((entry) => entry.key === key)!.value!;
      const { size } = await Deno.stat(`${folder}/new/${value("location")}`);
      assert(Number(value("offset")) + Number(value("length")) <= size, name!);
      assert(!value("location").includes(".."), name!);
    }
    assert.deepEqual(filesBelow(folder), [`${folder}/new/text.model.safetensors`, file]);
  });
});

Deno.test("weights that lie below the graph's folder are read where they are", async () => {
  await inTempFolder(async (folder) => {
    for (const part of ["next-dit", "transformer", "clip_model", "vae"]) {
      await Deno.mkdir(`${folder}/demo/${part}`, { recursive: true });
      for (const { name, isFile } of Deno.readDirSync(`${DEMO}${part}`)) {
        if (isFile) await Deno.copyFile(`${DEMO}${part}/${name}`, `${folder}/demo/${part}/${name}`);
      }
    }
    const file = `${folder}/x.onnx`;
    const { code, out, err } = await graph("vae", "--model", folder, "--out", file, "--json");
    assert.equal(code, 0, err);
    assert.deepEqual(JSON.parse(out).linked, []);
    const { graph: written } = proto.onnx.ModelProto.decode(await Deno.readFile(file));
    const locations = written!.initializer!.flatMap(({ externalData }) =>
      externalData!.filter(({ key }) => key === "location").map(({ value }) => value)
    );
    assert.deepEqual([...new Set(locations)], ["demo/vae/model.safetensors"]);
    await (await ort.InferenceSession.create(file)).release();
  });
});

Deno.test("a wrong request exits with 2, in both languages, and leaves no file", async () => {
  await inScratch(async (folder) => {
    await Deno.writeTextFile(`${folder}/vae.onnx`, "mine");
    await Deno.writeTextFile(`${folder}/clip.model.safetensors`, "mine");
    for (
      const [english, chinese, ...args] of [
        ["Allowed choices are text-encoder", "可选：text-encoder", "unet"],
        ["missing required argument", "缺少参数"],
        ["does not compute in float16", "不能以 float16 运算", "vae", "--dtype", "float16"],
        ["there already", "已经存在", "vae", "--out", `${folder}/vae.onnx`],
        ["there already", "已经存在", "clip-model", "--out", `${folder}/clip.onnx`],
      ] as const
    ) {
      for (const [language, message] of [["en", english], ["zh", chinese]] as const) {
        const { code, err } = await graph(...args, "--lang", language);
        assert.equal(code, 2, err);
        assert(err.includes(message), err);
      }
    }
    const { code } = await graph("vae", "--model", `${folder}/none`, "--out", `${folder}/x.onnx`);
    assert.equal(code, 2);
    assert.deepEqual(filesBelow(folder), [
      `${folder}/clip.model.safetensors`,
      `${folder}/vae.onnx`,
    ]);
    assert.equal(await Deno.readTextFile(`${folder}/vae.onnx`), "mine");
  });
});
