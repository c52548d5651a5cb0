import assert from "node:assert/strict";
import { join } from "node:path";
import { parseNextDiTConfig } from "../../src/models/next_dit_config.ts";
import { compileNextDiT } from "../../src/models/next_dit.ts";
import { NewBieError, RequestError } from "../../src/errors.ts";
import { mergeModel, mergePart } from "../../src/merge/mod.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { Transformer } from "../../src/pipeline/parts/transformer.ts";
import { NewBieImagePipeline } from "../../src/pipeline/pipeline.ts";
import { quantizeModel } from "../../src/quantize/mod.ts";
import { openWeights, type TensorSource, writeSafetensors } from "../../src/safetensors/mod.ts";
import { tensor } from "../../src/tensor.ts";
import { float32, lora, writeAdapter } from "../adapters/_written.ts";
import { assertClose, fixture, readJson, readTensors } from "../_fixtures.ts";
import { filesBelow, inTempFolder, temporaryFolder } from "../_folders.ts";
import { saysSameInChinese } from "../_languages.ts";

const MODEL = fixture("next_dit/clip_gqa");
const ADAPTED = fixture("adapted_next_dit");
const ADAPTERS: Readonly<Record<string, string>> = { lora: "lora", lokr: "lokr.safetensors" };

const { timestep, mixes } = await readJson<
  { timestep: number; mixes: readonly Readonly<Record<string, number>>[] }
>(join(ADAPTED, "io.json"));

for (const [index, mix] of mixes.entries()) {
  const said = Object.entries(mix).map(([name, weight]) => `${name}:${weight}`).join(" and ");
  Deno.test(`a checkpoint merged with ${said} predicts what PEFT and LyCORIS do`, async () => {
    await inTempFolder(async (folder) => {
      const choices = Object.entries(mix).map(([name, weight]) => ({
        path: join(ADAPTED, ADAPTERS[name]!),
        weight,
      }));
      const place = { weights: MODEL, config: join(MODEL, "config.json") };
      const target = join(folder, "new folder/merged.safetensors");
      await mergePart(place, choices, target);

      const weights = await openWeights(target);
      const json = await readJson(join(folder, "new folder/merged.json"));
      const config = parseNextDiTConfig(json, target, weights);
      const graphs = compileNextDiT(config, weights, DTYPE_POLICIES.cpu);
      await using transformer = await Transformer.create(config, graphs, {
        device: "cpu",
        resident: true,
      });
      const value = await readTensors(join(ADAPTED, "io.safetensors"));
      const { data, dims } = value("caption_0");
      const conditioning = await transformer.condition(tensor(data, [1, ...dims]), value("pooled"));
      const [velocity] = await transformer.predict(value("latents"), timestep, [conditioning]);
      assertClose(velocity!, value(`velocity_${index}`), 1e-5, said);
    });
  });
}

const SHARDED = fixture("pipeline/tiny_bf16_sharded");
/** Of eight significant bits, half of the last, at the most. */
const HALF_STEP_OF_BFLOAT16 = 2 ** -8;

/** All values of a folder's tensors, by their names. */
async function valuesIn(folder: string): Promise<Map<string, Float32Array>> {
  const { tensors } = await openWeights(folder);
  const value = await readTensorsOf(folder);
  return new Map([...tensors.keys()].map((name) => [name, value(name).data]));
}

async function readTensorsOf(folder: string) {
  const { paths } = await openWeights(folder);
  const readers = await Promise.all(paths.map(async (path) => ({
    read: await readTensors(path),
    names: new Set((await openWeights(path)).tensors.keys()),
  })));
  return (name: string) => readers.find(({ names }) => names.has(name))!.read(name);
}

Deno.test("a model's copy has adapters in transformer and encoders, rounded once, and loads", async () => {
  await inTempFolder(async (folder) => {
    const before = {
      transformer: await valuesIn(join(SHARDED, "transformer")),
      text_encoder: await valuesIn(join(SHARDED, "text_encoder")),
    };
    const shapes = {
      qkv: (await openWeights(join(SHARDED, "transformer"))).tensors
        .get("layers.0.attention.qkv.weight")!.shape as [number, number],
      gemma: [...(await openWeights(join(SHARDED, "text_encoder"))).tensors.values()]
        .find(({ name }) => name.endsWith("layers.0.self_attn.o_proj.weight"))!,
    };
    const [first, second] = [1, 2].map((rank) => [
      ...lora("lora_unet_layers_0_attention_qkv", shapes.qkv, { rank }),
      ...lora("lora_te_layers_0_self_attn_o_proj", shapes.gemma.shape as [number, number], {
        rank,
      }),
    ]);
    await Deno.mkdir(join(folder, "second"));
    const choices = [
      { path: await writeAdapter(folder, first!), weight: 0.75 },
      { path: await writeAdapter(join(folder, "second"), second!), weight: -0.5, textWeight: 0.25 },
    ];
    const target = join(folder, "merged");
    const result = await mergeModel(SHARDED, choices, target);
    assert.deepEqual(result.adapters.map(({ changes }) => changes), [
      { transformer: 1, textEncoder: 1 },
      { transformer: 1, textEncoder: 1 },
    ]);
    assert.equal(result.files.length, 2);

    const changedIn = {
      transformer: "layers.0.attention.qkv.weight",
      text_encoder: shapes.gemma.name,
    };
    for (const part of ["transformer", "text_encoder"] as const) {
      const after = await valuesIn(join(target, part));
      assert.deepEqual([...after.keys()].sort(), [...before[part].keys()].sort());
      for (const [name, values] of after) {
        const old = before[part].get(name)!;
        if (name !== changedIn[part]) {
          assert.deepEqual(values, old, name);
          continue;
        }
        const exact = Float64Array.from(old);
        const weightOfSecond = part === "transformer" ? -0.5 : 0.25;
        for (const [tensors, weight] of [[first!, 0.75], [second!, weightOfSecond]] as const) {
          addProduct(exact, tensors.slice(part === "transformer" ? 0 : 2), weight);
        }
        values.forEach((value, index) => {
          const bound = Math.abs(exact[index]!) * HALF_STEP_OF_BFLOAT16 + 1e-30;
          assert(Math.abs(value - exact[index]!) <= bound, `${name} ${index}`);
        });
        assert(values.some((value, index) => value !== old[index]));
      }
    }
    await using pipe = await NewBieImagePipeline.fromPretrained(target, {
      device: "cpu",
      log: () => {},
    });
    const { promptEmbeds } = await pipe.encodePrompt({ prompt: "1girl" });
    assert(promptEmbeds.data.every(Number.isFinite));
  });
});

/** Adds weight · up · down, by the first two of the tensors. */
function addProduct(sum: Float64Array, [down, up]: readonly TensorSource[], weight: number): void {
  const values = ({ bytes }: TensorSource) =>
    new Float32Array([...bytes() as Iterable<Uint8Array>][0]!.buffer as ArrayBuffer);
  const [a, b] = [values(down!), values(up!)];
  const [rank, columns] = down!.shape as [number, number];
  sum.forEach((_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    for (let k = 0; k < rank; k++) {
      sum[index]! += weight * b[row * rank + k]! * a[k * columns + column]!;
    }
  });
}

/** What is thrown, and what is left in the folder of the target. */
async function refused(
  merge: (target: string) => Promise<unknown>,
): Promise<{ error: NewBieError; left: string[] }> {
  await using folder = await temporaryFolder();
  const error = await merge(join(folder.path, "merged.safetensors")).then(
    () => assert.fail("it was merged"),
    (error) => error,
  );
  assert(error instanceof NewBieError, String(error));
  assert(saysSameInChinese(error), error.explain("zh"));
  return { error, left: filesBelow(folder.path) };
}

/** One matrix of the base in a dtype, in a model of its own names, with an adapter of one change. */
async function mergedOne(
  dtype: "F16" | "F32",
  value: number,
  weight: number,
): Promise<{ error: NewBieError; left: string[] }> {
  await using folder = await temporaryFolder();
  const base = await openWeights(MODEL);
  const read = await readTensors(join(MODEL, "model.safetensors"));
  const path = join(folder.path, "base.safetensors");
  const stored = [...base.tensors.values()].map(({ name, shape }): TensorSource => {
    const { data } = read(name);
    const values = dtype === "F16" ? Float16Array.from(data) : data;
    return { name, dtype, shape, bytes: () => [new Uint8Array(values.buffer)] };
  });
  await writeSafetensors(path, stored);
  const adapter = await writeAdapter(folder.path, [
    float32("lora_unet_x_embedder.diff", base.tensors.get("x_embedder.weight")!.shape, () => value),
  ]);
  return await refused((target) =>
    mergePart({ weights: path }, [{ path: adapter, weight }], target)
  );
}

Deno.test("values that a dtype cannot hold are refused, and nothing is left", async () => {
  const nan = await mergedOne("F32", NaN, 1);
  assert.match(nan.error.message, /x_embedder\.weight, this gives NaN, which F32 cannot hold/);
  assert.deepEqual(nan.left, []);
  const high = await mergedOne("F16", 40_000, 2);
  assert.match(high.error.message, /F16 cannot hold/);
  assert.deepEqual(high.left, []);
});

Deno.test("a place that is taken is never overwritten", async () => {
  await inTempFolder(async (folder) => {
    const target = join(folder, "merged.safetensors");
    const place = { weights: MODEL, config: join(MODEL, "config.json") };
    const choices = [{ path: join(ADAPTED, "lora"), weight: 1 }];
    await Deno.writeTextFile(target, "mine");
    await assert.rejects(mergePart(place, choices, target), /there already/);
    await Deno.remove(target);
    await Deno.writeTextFile(join(folder, "merged.json"), "mine");
    await assert.rejects(mergePart(place, choices, target), /merged\.json is there already/);
    assert.deepEqual(filesBelow(folder), [join(folder, "merged.json")]);
    await assert.rejects(mergeModel(SHARDED, choices, folder), /there already/);
  });
});

Deno.test("quantised weights are refused, with what to do instead", async () => {
  await inTempFolder(async (folder) => {
    const model = join(folder, "int8");
    await quantizeModel("models/demo", model, { bits: 8, blockSize: 32 });
    const { tensors } = await openWeights("models/demo/next-dit");
    const shape = tensors.get("layers.0.attention.out.weight")!.shape as [number, number];
    const path = await writeAdapter(folder, lora("lora_unet_layers_0_attention_out", shape));
    const target = join(folder, "merged");
    const error = await mergeModel(model, [{ path, weight: 1 }], target).then(
      () => assert.fail(),
      (error) => error,
    );
    assert(error instanceof RequestError);
    assert.match(error.message, /is quantised.*the original/);
    assert.match(error.explain("zh"), /是量化的.*原模型/);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "adapter.safetensors",
      "int8",
    ]);
  });
});

Deno.test("what was merged stands in the new file's metadata, one after the other", async () => {
  await inTempFolder(async (folder) => {
    const first = join(folder, "a.safetensors");
    const second = join(folder, "b.safetensors");
    const config = join(MODEL, "config.json");
    const lokr = { path: join(ADAPTED, "lokr.safetensors"), weight: 0.5 };
    await mergePart({ weights: MODEL, config }, [lokr], first);
    await mergePart({ weights: first, config }, [{ ...lokr, weight: -0.25 }], second);
    const { metadata } = await openWeights(second);
    const said = JSON.parse(metadata["merged_adapters"]!);
    assert.deepEqual(
      said.map(({ file, weight }: { file: string; weight: number }) => [file, weight]),
      [
        ["lokr.safetensors", 0.5],
        ["lokr.safetensors", -0.25],
      ],
    );
    assert(said.every(({ sha256 }: { sha256: string }) => /^[0-9a-f]{64}$/.test(sha256)));
  });
});
