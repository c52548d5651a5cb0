import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type PartConfig,
  type PartName,
  writeRandomWeights,
} from "../../tasks/checkout/random_weights.ts";
import { explainError, RequestError } from "../../src/errors.ts";
import { Graph, linear, Parameters } from "../../src/onnx/mod.ts";
import { NewBieImagePipeline } from "../../src/pipeline/pipeline.ts";
import { quantizeBlocks } from "../../src/quantize/_blocks.ts";
import { quantizeModel } from "../../src/quantize/mod.ts";
import { createGenerator } from "../../src/random/mod.ts";
import { Session } from "../../src/runtime/session.ts";
import { openWeights, type QuantizedBits, writeSafetensors } from "../../src/safetensors/mod.ts";
import { type Tensor, tensor } from "../../src/tensor.ts";
import { assertClose, fixture, readJson } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { bfloat16, dequantize, dequantizedFile, readRaw } from "./_dequantize.ts";

/** A name that is quantised. */
const MATRIX = "layers.0.feed_forward.w1.weight";
const BITS: readonly QuantizedBits[] = [4, 8];

/** Writes one matrix in float32 and quantises it; returns the new file. */
async function quantizeMatrix(
  folder: string,
  values: Float32Array,
  columns: number,
  bits: QuantizedBits,
  blockSize: number,
) {
  const [source, target] = [`${folder}/original`, `${folder}/int${bits}_${blockSize}`];
  await Deno.remove(source, { recursive: true }).catch(() => {});
  await Deno.remove(target, { recursive: true }).catch(() => {});
  await Deno.mkdir(source);
  await writeSafetensors(`${source}/model.safetensors`, [{
    name: MATRIX,
    dtype: "F32",
    shape: [values.length / columns, columns],
    bytes: () => [new Uint8Array(values.buffer, values.byteOffset, values.byteLength)],
  }]);
  const { files: [report] } = await quantizeModel(source, target, { bits, blockSize });
  const file = `${target}/model.safetensors`;
  const { tensors } = await readRaw(file);
  const restored = dequantize(tensors.get(MATRIX)!, tensors.get(`${MATRIX}.scales`)!, bits);
  return { file, restored, report: report! };
}

function relative(actual: Float32Array, expected: Float32Array): number {
  const square = (values: Float32Array) => values.reduce((sum, value) => sum + value ** 2, 0);
  return Math.sqrt(square(actual.map((value, i) => value - expected[i]!)) / square(expected));
}

Deno.test("ONNX Runtime computes with quantised matrices what their values say", async () => {
  await inTempFolder(async (folder) => {
    const random = createGenerator({ seed: 5 });
    for (const bits of BITS) {
      for (const [rows, columns, blockSize] of [[24, 128, 16], [7, 96, 32], [33, 256, 128]]) {
        const values = random.randn(rows! * columns!);
        const { file, restored, report } = await quantizeMatrix(
          folder,
          values,
          columns!,
          bits,
          blockSize!,
        );
        assert(Math.abs(report.relativeError - relative(restored, values)) < 1e-6);

        const graph = new Graph("product");
        const parameters = new Parameters(graph, await openWeights(file));
        const input = graph.input("x", "float32", ["M", columns!]);
        const matrix = parameters.matrix(MATRIX, [rows!, columns!], "float32");
        const bias = graph.vector(Array.from({ length: rows! }, (_, row) => row), "float32");
        graph.output("y", linear(input, matrix, bias), ["M", rows!]);
        parameters.check();
        await using session = await Session.create(graph.compile(), { device: "cpu" });
        for (const m of [1, 9]) {
          const x = random.randn(m * columns!);
          const expected = new Float32Array(m * rows!).map((_, index) => {
            const [i, row] = [Math.floor(index / rows!), index % rows!];
            let sum = row;
            for (let k = 0; k < columns!; k++) {
              sum += x[i * columns! + k]! * restored[row * columns! + k]!;
            }
            return sum;
          });
          const { y } = await session.run({ x: tensor(x, [m, columns!]) });
          assertClose(y!, tensor(expected, [m, rows!]), 1e-5, `${bits} bits, ${blockSize}, ${m}`);
        }
      }
    }
  });
});

Deno.test("a matrix that is quantised in pieces, on threads, is what it is in one", async () => {
  await inTempFolder(async (folder) => {
    const [rows, columns, blockSize] = [2050, 1024, 32];
    const values = createGenerator({ seed: 6 }).randn(rows * columns);
    for (const bits of BITS) {
      const { file, report } = await quantizeMatrix(folder, values, columns, bits, blockSize);
      const packed = new Uint8Array(values.length * bits / 8);
      const scales = new Uint16Array(values.length / blockSize);
      const error = { error: 0, norm: 0 };
      assert(quantizeBlocks(values, blockSize, bits, packed, scales, error));
      const { tensors } = await readRaw(file);
      assert.deepEqual(tensors.get(MATRIX)!.bytes, packed);
      assert.deepEqual(tensors.get(`${MATRIX}.scales`)!.bytes, new Uint8Array(scales.buffer));
      assert(Math.abs(report.relativeError - Math.sqrt(error.error / error.norm)) < 1e-9);
    }
    values[values.length - 1] = NaN;
    await assert.rejects(
      quantizeMatrix(folder, values, columns, 4, blockSize),
      /feed_forward.w1.weight holds values that are no finite numbers/,
    );
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "int8_32",
      "original",
    ]);
  });
});

Deno.test("values that lie on a grid are kept as they are", async () => {
  await inTempFolder(async (folder) => {
    for (const [bits, step] of [[4, 0.25], [8, -0.5]] as const) {
      const lowest = -(2 ** (bits - 1));
      const blockSize = 2 ** (bits === 4 ? 4 : 7);
      // The grid's lower half with its end, its upper half with that end, and zeros.
      const values = Float32Array.from({ length: 3 * blockSize }, (_, index) => {
        const place = index % blockSize;
        const block = Math.floor(index / blockSize);
        if (block === 2) return 0;
        if (place === 0) return lowest * step;
        return (block === 0 ? lowest + place : Math.min(place, -lowest - 1)) * step;
      });
      const { restored, report } = await quantizeMatrix(folder, values, blockSize, bits, blockSize);
      assert.deepEqual(restored, values);
      assert.equal(report.relativeError, 0);
    }
  });
});

/** Round to nearest by the largest value of each block, on the grid's symmetric part. */
function plainRounding(values: Float32Array, bits: number, blockSize: number): Float32Array {
  const top = 2 ** (bits - 1) - 1;
  return values.map((value, index) => {
    const start = index - index % blockSize;
    const scale = Math.max(...values.subarray(start, start + blockSize).map(Math.abs)) / top;
    return scale === 0 ? 0 : Math.round(value / scale) * scale;
  });
}

Deno.test("quantising loses no more than plain rounding does", async () => {
  const value = fc.float({ min: -4, max: 4, noNaN: true });
  const blocks = fc.array(value, { minLength: 64, maxLength: 64 })
    .map((values) => Float32Array.from(values));
  await inTempFolder(async (folder) => {
    await fc.assert(
      fc.asyncProperty(blocks, async (values) => {
        fc.pre(values.some((value) => Math.abs(value) > 1e-3));
        const plain = relative(plainRounding(values, 4, 32), values);
        const errors: number[] = [];
        for (const bits of BITS) {
          const { restored } = await quantizeMatrix(folder, values, 32, bits, 32);
          errors.push(relative(restored, values));
        }
        // A scale in bfloat16 is off by 2^-9 at most.
        assert(errors[0]! <= plain + 2 ** -9, `4 bits: ${errors[0]}, plainly ${plain}`);
        // The grid ends one step before the opposite of its largest value: 1 / 128 of it.
        const eight = relative(plainRounding(values, 8, 32), values);
        assert(errors[1]! <= eight + 2 ** -7, `8 bits: ${errors[1]}, plainly ${eight}`);
      }),
      { numRuns: 25, seed: 1 },
    );
  });
});

Deno.test("normal weights lose less than 10 % in 4 bits, and a fourteenth of that in 8", async () => {
  await inTempFolder(async (folder) => {
    const values = createGenerator({ seed: 3 }).randn(64 * 1024);
    // 16 levels at best: a Gaussian's best uniform quantiser of 16 levels has the relative error
    // 0.1075 (Max 1960: mean square error 0.01154); a scale for each 32 values may do better.
    const four = await quantizeMatrix(folder, values, 1024, 4, 32);
    assert(four.report.relativeError < 0.1, `${four.report.relativeError}`);
    const eight = await quantizeMatrix(folder, values, 1024, 8, 32);
    assert(eight.report.relativeError < 0.1 / 14, `${eight.report.relativeError}`);
  });
});

/** A model of a few hundred kilobytes whose matrices can be cut into blocks of 32. */
const CONFIGS: Partial<Record<PartName, PartConfig>> = {
  transformer: {
    _class_name: "NextDiT_CLIP",
    patch_size: 2,
    in_channels: 16,
    dim: 96,
    n_layers: 2,
    n_refiner_layers: 1,
    n_heads: 4,
    n_kv_heads: 2,
    multiple_of: 32,
    norm_eps: 1e-5,
    qk_norm: true,
    cap_feat_dim: 64,
    axes_dims: [8, 8, 8],
    axes_lens: [1024, 512, 512],
    clip_text_dim: 20,
  },
  text_encoder: {
    model_type: "gemma3_text",
    vocab_size: 2000,
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 16,
    query_pre_attn_scalar: 16,
    sliding_window: 32,
  },
};

/** Writes the small model. */
async function writeModel(folder: string): Promise<void> {
  const configs = {
    ...CONFIGS,
    clip_model: await readJson<PartConfig>(fixture("pipeline/tiny/clip_model/config.json")),
    vae: await readJson<PartConfig>(fixture("pipeline/tiny/vae/config.json")),
  };
  await writeRandomWeights(folder, {
    parts: Object.keys(configs) as PartName[],
    configs,
    vocabulary: 2000,
    tokenizers: new URL("../../models/demo", import.meta.url).pathname,
  });
}

async function draw(model: string): Promise<Tensor> {
  await using pipe = await NewBieImagePipeline.fromPretrained(model, { log: () => {} });
  const { images: [latents] } = await pipe.generate({
    prompt: "1girl, smile",
    height: 64,
    width: 48,
    numInferenceSteps: 1,
    generator: { seed: 1 },
    outputType: "latent",
  });
  return latents!;
}

const QUANTIZED_FILES = [
  "next-dit-3.5b/diffusion_pytorch_model.safetensors",
  "transformer/gemma-3-2b/model.safetensors",
];

Deno.test("a quantised model draws what its dequantised weights draw in float32", async () => {
  await inTempFolder(async (folder) => {
    await writeModel(`${folder}/original`);
    const original = await draw(`${folder}/original`);
    for (const bits of BITS) {
      const model = `${folder}/int${bits}`;
      const { files } = await quantizeModel(`${folder}/original`, model, { bits, blockSize: 32 });
      assert.deepEqual(files.map(({ path }) => path), QUANTIZED_FILES);
      // Of NextDiT 5 matrices a block, of Gemma 7 a layer, the last included.
      assert.deepEqual(files.map(({ matrices, left }) => [matrices.length, left.length]), [
        [4 * 5, 0],
        [3 * 7, 0],
      ]);
      const quantized = await draw(model);
      for (const path of QUANTIZED_FILES) {
        const dequantized = dequantizedFile(await readRaw(`${model}/${path}`));
        await Deno.remove(`${model}/${path}`);
        await Deno.writeFile(`${model}/${path}`, dequantized);
      }
      const reference = await draw(model);
      assertClose(quantized, reference, 1e-5, `${bits} bits`);
      assert.throws(() => assertClose(reference, original, 1e-4, "weights are the same"));
    }
  });
});

Deno.test("a quantised file keeps names, shapes, and what is not quantised", async () => {
  await inTempFolder(async (folder) => {
    await writeModel(`${folder}/original`);
    await quantizeModel(`${folder}/original`, `${folder}/int4`, { bits: 4, blockSize: 32 });
    for (const path of QUANTIZED_FILES) {
      const before = await readRaw(`${folder}/original/${path}`);
      const after = await readRaw(`${folder}/int4/${path}`);
      assert.deepEqual(after.metadata, { ...before.metadata, quantized_bits: "4" });
      const opened = await openWeights(`${folder}/int4/${path}`);
      for (const [name, tensor] of before.tensors) {
        assert.deepEqual(opened.tensors.get(name)?.shape, tensor.shape, name);
        const scales = after.tensors.get(`${name}.scales`);
        if (scales === undefined) {
          assert.deepEqual(after.tensors.get(name), tensor, name);
        } else {
          const restored = dequantize(after.tensors.get(name)!, scales, 4);
          assert(relative(restored, bfloat16(tensor.bytes)) < 0.15, name);
        }
      }
      const untouched = [...before.tensors.keys()].filter((name) =>
        !after.tensors.has(`${name}.scales`)
      );
      for (const name of untouched) {
        assert.match(name, /norm|adaLN|embed|final_layer|time_text|clip_text/, name);
      }
    }
  });
});

Deno.test("shards are quantised one by one, and their index names the scales", async () => {
  await inTempFolder(async (folder) => {
    const names = ["layers.0.attention.qkv.weight", "layers.1.attention.qkv.weight"];
    const source = `${folder}/original`;
    await Deno.mkdir(source);
    const weight_map: Record<string, string> = {};
    for (const [index, name] of names.entries()) {
      const shard = `model-${index + 1}-of-2.safetensors`;
      weight_map[name] = shard;
      const values = createGenerator({ seed: index }).randn(3 * 64);
      await writeSafetensors(`${source}/${shard}`, [{
        name,
        dtype: "F32",
        shape: [3, 64],
        bytes: () => [new Uint8Array(values.buffer)],
      }]);
    }
    const index = JSON.stringify({ metadata: { total_size: 1536 }, weight_map });
    await Deno.writeTextFile(`${source}/model.safetensors.index.json`, index);
    await quantizeModel(source, `${folder}/int8`, { bits: 8, blockSize: 64 });
    const { tensors } = await openWeights(`${folder}/int8`);
    for (const name of names) {
      assert.deepEqual(tensors.get(name)?.shape, [3, 64]);
      assert.equal(tensors.get(name)?.quantization?.blockSize, 64);
    }
  });
});

Deno.test("what cannot be quantised is refused, and nothing is left behind", async () => {
  await inTempFolder(async (folder) => {
    const options = { bits: 4, blockSize: 32 } as const;
    const write = async (name: string, values: Float32Array, tensorName = MATRIX) => {
      await Deno.mkdir(`${folder}/${name}`);
      await writeSafetensors(`${folder}/${name}/model.safetensors`, [{
        name: tensorName,
        dtype: "F32",
        shape: [1, values.length],
        bytes: () => [new Uint8Array(values.buffer)],
      }]);
    };
    await write("good", new Float32Array(64).fill(1));
    await write("infinite", new Float32Array(64).fill(1).with(40, Infinity));
    await write("other", new Float32Array(64), "decoder.conv_in.weight");
    for (const [name, index] of [["cut", '{"weight_map": {'], ["none", '{"weight_map": []}']]) {
      await write(name!, new Float32Array(64).fill(1));
      await Deno.writeTextFile(`${folder}/${name}/model.safetensors.index.json`, index!);
    }
    await quantizeModel(`${folder}/good`, `${folder}/good4`, options);
    const before = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

    const refusals: readonly [string, string, typeof options, RegExp, boolean][] = [
      ["good", "good4", options, /is there already/, true],
      ["good", "good/within", options, /lies within/, true],
      ["good", "x", { ...options, blockSize: 24 as 32 }, /16, 32, 64 or 128/, true],
      ["other", "x", options, /nothing to quantise/, true],
      ["nowhere", "x", options, /neither a folder nor a file/, false],
      ["good4", "x", options, /quantised already/, false],
      [
        "cut",
        "x",
        options,
        /^model\.safetensors\.index\.json: not valid JSON: /,
        false,
      ],
      ["none", "x", options, /^model\.safetensors\.index\.json: weight_map: /, false],
      ["infinite", "x", options, /w1\.weight holds values that are no finite/, false],
    ];
    for (const [source, target, given, message, isRequestWrong] of refusals) {
      await assert.rejects(
        quantizeModel(`${folder}/${source}`, `${folder}/${target}`, given),
        (error) => {
          assert(error instanceof Error);
          assert.match(error.message, message);
          assert.equal(error instanceof RequestError, isRequestWrong, source);
          return true;
        },
      );
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), before);
    assert.deepEqual([...Deno.readDirSync(`${folder}/good`)].length, 1);
  });
});

Deno.test("two at once with one target: one of them makes it, and the other says why not", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/model`);
    const values = createGenerator({ seed: 1 }).randn(1 << 16);
    await writeSafetensors(`${folder}/model/model.safetensors`, [{
      name: MATRIX,
      dtype: "F32",
      shape: [256, 256],
      bytes: () => [new Uint8Array(values.buffer)],
    }]);
    const make = () =>
      quantizeModel(`${folder}/model`, `${folder}/small`, { bits: 8, blockSize: 32 });
    const results = await Promise.allSettled([make(), make(), make()]);
    const refused = results.filter((result) => result.status === "rejected");
    assert.equal(refused.length, 2);
    for (const { reason } of refused) assert(reason instanceof RequestError, String(reason));
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "model",
      "small",
    ]);
  });
});

Deno.test("a folder beside the target is never touched, whatever its name", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/small.part`);
    await Deno.writeTextFile(`${folder}/small.part/thesis.txt`, "mine");
    await quantizeModel("models/demo", `${folder}/small`, { bits: 8, blockSize: 32 });
    assert.equal(await Deno.readTextFile(`${folder}/small.part/thesis.txt`), "mine");
  });
});

Deno.test({
  name: "a pipe among a model's files is named, and not waited for",
  ignore: Deno.build.os === "windows",
  async fn() {
    await inTempFolder(async (folder) => {
      const [source, target] = [`${folder}/part`, `${folder}/int8`];
      await Deno.mkdir(source);
      for (const name of ["config.json", "model.safetensors"]) {
        await Deno.copyFile(`models/demo/next-dit/${name}`, `${source}/${name}`);
      }
      await new Deno.Command("mkfifo", { args: [`${source}/extra.json`] }).output();
      const made = quantizeModel(source, target, { bits: 8, blockSize: 64 });
      await assert.rejects(made, (error) => {
        assert.match(
          explainError(error, "en"),
          /extra\.json: it is a pipe, a device or a socket, not/,
        );
        return true;
      });
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["part"]);
    });
  },
});
