/**
 * Adapters in a whole pipeline. What is expected is the same pipeline over a checkpoint into which
 * the test wrote them, in float64.
 */
import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { NewBieImagePipeline } from "../../src/pipeline/pipeline.ts";
import type { GenerateOptions, PretrainedOptions } from "../../src/pipeline/types.ts";
import { quantizeModel } from "../../src/quantize/mod.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import type { Tensor } from "../../src/tensor.ts";
import { assertClose, fixture } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { dequantizedFile, readRaw } from "../quantize/_dequantize.ts";
import {
  difference,
  type DrawnChange,
  kronecker,
  lowRank,
  writeAdapter,
  writeMergedFolder,
} from "./_adapter_files.ts";

const MODEL = fixture("pipeline/tiny");
const TRANSFORMER = `${MODEL}/transformer`;

const load = (options: PretrainedOptions = {}) =>
  NewBieImagePipeline.fromPretrained(MODEL, { log: () => {}, ...options });

const REQUEST: GenerateOptions & { outputType: "latent" } = {
  prompt: "1girl",
  height: 32,
  width: 32,
  numInferenceSteps: 2,
  generator: { seed: 7 },
  outputType: "latent",
};

async function draw(pipe: NewBieImagePipeline): Promise<Tensor> {
  return (await pipe.generate(REQUEST)).images[0]!;
}

/** Shapes of the transformer's tensors. */
const { tensors } = await openWeights(TRANSFORMER);
const shapeOf = (name: string) => tensors.get(name)!.shape;
const MATRICES = [...tensors.values()].filter(({ shape }) => shape.length === 2)
  .map(({ name }) => name);

const everywhere = (size: number) => MATRICES.map((name) => lowRank(name, shapeOf(name), { size }));

/** Changes that have no thin form, of every sort. */
const wholesale = (): DrawnChange[] => [
  difference("layers.0.attention_norm1.weight", shapeOf("layers.0.attention_norm1.weight")),
  difference("x_embedder.bias", shapeOf("x_embedder.bias")),
  difference("layers.0.feed_forward.w2.weight", shapeOf("layers.0.feed_forward.w2.weight"), 0.1),
  kronecker("layers.0.attention.qkv.weight", shapeOf("layers.0.attention.qkv.weight")),
  lowRank("layers.0.attention.out.weight", shapeOf("layers.0.attention.out.weight")),
];

async function drawMerged(
  folder: string,
  changes: readonly (readonly [changes: readonly DrawnChange[], weight: number])[],
  options: PretrainedOptions = {},
): Promise<Tensor> {
  const target = await Deno.makeTempDir({ dir: folder });
  await writeMergedFolder(
    TRANSFORMER,
    `${target}/transformer`,
    changes.flatMap(([own, weight]) => own.map((change) => ({ ...change, weight }))),
  );
  await using pipe = await load({ transformer: `${target}/transformer`, ...options });
  return await draw(pipe);
}

for (const offload of ["none", "model", "sequential"] as const) {
  Deno.test(`adapters, and their weights, draw what checkpoints with them draw: ${offload}`, async () => {
    await inTempFolder(async (folder) => {
      const [style, rin] = [everywhere(0.2), everywhere(0.3)];
      await writeAdapter(`${folder}/style.safetensors`, style);
      await writeAdapter(`${folder}/rin.safetensors`, rin);
      await using pipe = await load({ offload });
      const without = await draw(pipe);
      assert.equal(await pipe.loadLoraWeights(`${folder}/style.safetensors`), "style");
      assertClose(await draw(pipe), await drawMerged(folder, [[style, 1]]), 1e-5, "one");
      await pipe.loadLoraWeights(`${folder}/rin.safetensors`, { adapterName: "girl" });
      for (const weights of [[0.8, -0.5], [0, 1]] as const) {
        await pipe.setAdapters(["style", "girl"], weights);
        const expected = await drawMerged(folder, [[style, weights[0]], [rin, weights[1]]]);
        assertClose(await draw(pipe), expected, 1e-5, String(weights));
        assert.throws(() => assertClose(without, expected, 1e-2, ""), "it changes nothing");
      }
      await pipe.setAdapters("style", 0);
      assert.deepEqual(pipe.getActiveAdapters(), []);
      assert.deepEqual((await draw(pipe)).data, without.data);
      await pipe.unloadLoraWeights();
      assert.deepEqual(pipe.adapters, []);
      assert.deepEqual((await draw(pipe)).data, without.data);
    });
  });
}

Deno.test("what has no thin form is made anew with each weight, and weight 0 is without", async () => {
  await inTempFolder(async (folder) => {
    // Stronger, they would leave a model so badly conditioned that float32 is not good for 1e-5.
    const [whole, thin] = [wholesale(), everywhere(0.1)];
    await writeAdapter(`${folder}/whole.safetensors`, whole);
    await writeAdapter(`${folder}/thin.safetensors`, thin);
    await using pipe = await load();
    const without = await draw(pipe);
    await pipe.loadLoraWeights(`${folder}/whole.safetensors`);
    await pipe.loadLoraWeights(`${folder}/thin.safetensors`);
    for (const weights of [[0.7, 0], [-0.4, 0.5]] as const) {
      await pipe.setAdapters(["whole", "thin"], weights);
      const expected = await drawMerged(folder, [[whole, weights[0]], [thin, weights[1]]]);
      assertClose(await draw(pipe), expected, 1e-5, String(weights));
      assert.throws(() => assertClose(without, expected, 1e-2, ""), "it changes nothing");
    }
    await pipe.setAdapters([]);
    assert.deepEqual((await draw(pipe)).data, without.data);
  });
});

Deno.test("adapters of the text encoders change what the encoders say", async () => {
  await inTempFolder(async (folder) => {
    const { tensors } = await openWeights(`${MODEL}/text_encoder`);
    const own = [...tensors.values()].filter(({ name }) =>
      /layers\.0\..*q_proj\.weight$/.test(name)
    );
    const [{ name, shape } = { name: "", shape: [] }] = own;
    const change = lowRank(name.replace(/^.*layers\./, "layers."), shape, {
      prefix: "text_encoder.",
    });
    await writeAdapter(`${folder}/words.safetensors`, [change]);
    await using pipe = await load();
    const encode = async () => (await pipe.encodePrompt({ prompt: "1girl, smile" })).promptEmbeds;
    const without = await encode();
    await pipe.loadLoraWeights(`${folder}/words.safetensors`);
    assert.deepEqual(pipe.adapters[0]!.parts, ["textEncoder"]);
    const found = await encode();
    const target = `${folder}/text_encoder`;
    const merged = { ...change, tensor: name, weight: 1 };
    await writeMergedFolder(`${MODEL}/text_encoder`, target, [merged]);
    await using other = await load({ textEncoder: target });
    const { promptEmbeds } = await other.encodePrompt({ prompt: "1girl, smile" });
    assertClose(found, promptEmbeds, 1e-5, "features");
    assert.throws(() => assertClose(without, promptEmbeds, 1e-3, ""), "it changes nothing");
    await pipe.setAdapters("words", 0);
    assert.deepEqual((await encode()).data, without.data);
  });
});

Deno.test("who asks for what cannot be is told, and nothing changes", async () => {
  await inTempFolder(async (folder) => {
    await writeAdapter(`${folder}/style.safetensors`, everywhere(0.2));
    await using pipe = await load();
    await pipe.loadLoraWeights(`${folder}/style.safetensors`);
    const refused = async (work: () => Promise<unknown>, message: RegExp) => {
      await assert.rejects(work, (error) => {
        assert(error instanceof RequestError);
        assert.match(error.message, message);
        assert.match(error.explain("zh"), /\p{Script=Han}/u);
        return true;
      });
      assert.deepEqual(pipe.adapters.map(({ name, weight }) => [name, weight]), [["style", 1]]);
    };
    await refused(() => pipe.loadLoraWeights(`${folder}/style.safetensors`), /style.*already/);
    await refused(() => pipe.setAdapters("stile"), /Did you mean style\?/);
    await refused(() => pipe.setAdapters("style", NaN), /NaN/);
    await refused(() => pipe.setAdapters(["style", "style"]), /twice/);
    await refused(() => pipe.setAdapters(["style"], [1, 2]), /2 weights for 1/);
    await refused(() => pipe.deleteAdapters("night"), /no adapter night/);
    const onStep = () => pipe.setAdapters("style", 0.5);
    await refused(() => pipe.generate({ ...REQUEST, onStep }), /Pictures are being made/);
  });
});

Deno.test("pictures that are asked for while an adapter is loaded are made with it", async () => {
  await inTempFolder(async (folder) => {
    const style = everywhere(0.2);
    await writeAdapter(`${folder}/style.safetensors`, style);
    await using pipe = await load();
    const loading = pipe.loadLoraWeights(`${folder}/style.safetensors`);
    const [drawn] = await Promise.all([draw(pipe), loading]);
    assertClose(drawn, await drawMerged(folder, [[style, 1]]), 1e-5, "latents");
  });
});

Deno.test("an adapter that was changed on the disk is not used any more", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/style.safetensors`;
    await writeAdapter(path, everywhere(0.2));
    await using pipe = await load();
    await pipe.loadLoraWeights(path);
    await draw(pipe);
    await writeAdapter(path, everywhere(0.3));
    await assert.rejects(() => draw(pipe), /style\.safetensors was changed or removed/);
  });
});

Deno.test("adapters work beside quantised weights, and in the place of them", async () => {
  await inTempFolder(async (folder) => {
    const source = "models/demo/next-dit";
    const { tensors } = await openWeights(source);
    const shapeOf = (name: string) => tensors.get(name)!.shape;
    const matrices = [...tensors.keys()].filter((name) => shapeOf(name).length === 2);
    const thin = matrices.map((name) => lowRank(name, shapeOf(name), { size: 0.1 }));
    const whole = ["layers.0.feed_forward.w2.weight", "layers.1.attention.qkv.weight"]
      .map((name) => difference(name, shapeOf(name), 0.05));
    await writeAdapter(`${folder}/thin.safetensors`, thin);
    await writeAdapter(`${folder}/whole.safetensors`, whole);
    for (const bits of [4, 8] as const) {
      const quantized = `${folder}/int${bits}`;
      await quantizeModel(source, quantized, { bits, blockSize: 32 });
      const plain = `${folder}/plain${bits}`;
      await Deno.mkdir(plain);
      await Deno.copyFile(`${quantized}/config.json`, `${plain}/config.json`);
      const file = dequantizedFile(await readRaw(`${quantized}/model.safetensors`));
      await Deno.writeFile(`${plain}/model.safetensors`, file);
      const merged = `${folder}/merged${bits}`;
      await writeMergedFolder(plain, merged, [
        ...thin.map((change) => ({ ...change, weight: 0.7 })),
        ...whole.map((change) => ({ ...change, weight: -0.5 })),
      ]);
      const open = (transformer: string) =>
        NewBieImagePipeline.fromPretrained(".", { transformer, log: () => {} });
      await using pipe = await open(quantized);
      const without = await draw(pipe);
      await pipe.loadLoraWeights(`${folder}/thin.safetensors`, { weight: 0.7 });
      await pipe.loadLoraWeights(`${folder}/whole.safetensors`, { weight: -0.5 });
      await using other = await open(merged);
      assertClose(await draw(pipe), await draw(other), 1e-4, `${bits} bits`);
      await pipe.setAdapters([]);
      assert.deepEqual((await draw(pipe)).data, without.data);
    }
  });
});

Deno.test("the CLIP model with an adapter, at weight 0, says what it says without", async () => {
  await inTempFolder(async (folder) => {
    const { tensors } = await openWeights(`${MODEL}/clip_model`);
    const changes = [...tensors.values()].filter(({ name, shape }) =>
      shape.length === 2 && /encoder\.layers\./.test(name) && !/lora/.test(name)
    ).map(({ name, shape }) =>
      lowRank(name.replace(/^.*?encoder\.layers/, "encoder.layers"), shape, {
        prefix: "clip_model.",
      })
    );
    await writeAdapter(`${folder}/words.safetensors`, changes);
    await using pipe = await load();
    const encode = async () => (await pipe.encodePrompt({ prompt: "1girl" })).pooledPromptEmbeds;
    const without = await encode();
    await pipe.loadLoraWeights(`${folder}/words.safetensors`);
    assert.deepEqual(pipe.adapters[0]!.parts, ["clipModel"]);
    assert.notDeepEqual((await encode()).data, without.data);
    await pipe.setAdapters("words", 0);
    assert.deepEqual((await encode()).data, without.data);
  });
});
