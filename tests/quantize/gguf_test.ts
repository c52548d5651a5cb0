/** GGUF files that quantising writes. gguf-py reads them, too: that was tried by hand. */
import assert from "node:assert/strict";
import { readGgufHeader } from "../../src/gguf/mod.ts";
import { gemma3Names, parseGemma3Config } from "../../src/models/mod.ts";
import { quantizeModel, quantizeModelToGguf } from "../../src/quantize/mod.ts";
import { openWeights, RowReader, type TensorEntry } from "../../src/safetensors/mod.ts";
import { tensor } from "../../src/tensor.ts";
import { readJson, relativeError } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { latents } from "../pipeline/_latents.ts";

const GEMMA = "models/demo/transformer";
const DIT = "models/demo/next-dit";

async function valuesOf(entry: TensorEntry): Promise<Float32Array> {
  const shape = entry.shape.length === 1 ? [1, ...entry.shape] : entry.shape;
  await using reader = await RowReader.open({ ...entry, shape });
  return await reader.read(Array.from({ length: reader.rowCount }, (_, row) => row));
}

function distance(a: Float32Array, b: Float32Array): number {
  return relativeError(tensor(a, [a.length]), tensor(b, [b.length]));
}

Deno.test("Gemma as GGUF has llama.cpp's names and norms, and says its configuration itself", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/gemma-Q8_0.gguf`;
    const { files: [file] } = await quantizeModelToGguf(GEMMA, path, { bits: 8 });
    const [written, original] = [await openWeights(path), await openWeights(GEMMA)];
    assert.equal(written.tensors.size, original.tensors.size);
    assert.equal(written.metadata["general.architecture"], "gemma3");
    const names = gemma3Names(written)!;
    const bound = 1.5 * file!.relativeError;
    for (const [name, entry] of original.tensors) {
      const plain = name.replace(/^model\./, "");
      const found = written.tensors.get(names.nameInFile(plain));
      assert(found !== undefined, name);
      let expected = await valuesOf(entry);
      if (name.endsWith("norm.weight")) expected = expected.map((value) => value + 1);
      const values = await valuesOf(found);
      // The last layer was never trained: its features are not asked for.
      if (expected.every((value) => value === 0)) assert(values.every((value) => value === 0));
      else assert(distance(values, expected) <= bound, `${name}: ${distance(values, expected)}`);
      const isMatrix = /_proj/.test(name);
      assert.equal(found.dtype, isMatrix ? "Q8_0" : name.endsWith("norm.weight") ? "F32" : "BF16");
    }
    assert(file!.relativeError < 0.01);

    const config = parseGemma3Config(
      await readJson(`${GEMMA}/config.json`),
      "config.json",
      original,
    );
    const alone = parseGemma3Config(undefined, path, written);
    assert(Math.abs(alone.rms_norm_eps / config.rms_norm_eps - 1) < 1e-6);
    for (
      const key of [
        "hidden_size",
        "layer_types",
        "rope",
        "sliding_window",
        "query_pre_attn_scalar",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "vocab_size",
      ] as const
    ) {
      assert.deepEqual(alone[key], config[key], key);
    }
  });
});

Deno.test("a model's transformer and Gemma become a file each, which load in its place", async () => {
  await inTempFolder(async (folder) => {
    const target = `${folder}/gguf`;
    const { files } = await quantizeModelToGguf("models/demo", target, { bits: 8 });
    assert.deepEqual(files.map(({ path }) => path), ["transformer.gguf", "text-encoder.gguf"]);
    const { metadata } = await readGgufHeader(`${target}/transformer.gguf`);
    assert.equal(metadata.get("general.architecture"), "lumina2");
    const latentsWith = (parts: { transformer?: string; textEncoder?: string }) =>
      latents("models/demo", parts, { numInferenceSteps: 2 });
    await Deno.copyFile(`${DIT}/config.json`, `${target}/transformer.json`);
    const written = await latentsWith({
      transformer: `${target}/transformer.gguf`,
      textEncoder: `${target}/text-encoder.gguf`,
    });
    const error = distance(written, await latentsWith({}));
    // Of integers of 8 bits it is 0.08.
    assert(error > 0 && error < 0.15, `relative error ${error}`);
  });
});

Deno.test("what cannot be written as GGUF is refused, and nothing is left of it", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/out.gguf`;
    const write = (source: string, target = path) =>
      quantizeModelToGguf(source, target, { bits: 4 });
    await assert.rejects(write("models/demo/vae"), /neither a NextDiT nor a Gemma 3/);
    await assert.rejects(write("models/demo"), /several parts, which do not go into one file/);
    await assert.rejects(write(`${folder}/absent`), /absent is neither a folder nor a file\. Give/);
    await write(GEMMA);
    await assert.rejects(write(GEMMA), /is there already/);
    await assert.rejects(write(path, `${folder}/again.gguf`), /is quantised already/);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder), ({ name }) => name), ["out.gguf"]);
  });
});

Deno.test("float8 is not rounded again", async () => {
  await inTempFolder(async (folder) => {
    const bytes = new Uint8Array(32 * 32);
    const header = JSON.stringify({
      "layers.0.feed_forward.w1.weight": {
        dtype: "F8_E4M3",
        shape: [32, 32],
        data_offsets: [0, bytes.length],
      },
    });
    const file = new Uint8Array(8 + header.length + bytes.length);
    file[0] = header.length;
    file.set(new TextEncoder().encode(header), 8);
    await Deno.mkdir(`${folder}/part`);
    await Deno.writeFile(`${folder}/part/model.safetensors`, file);
    const options = { bits: 8, blockSize: 32 } as const;
    await assert.rejects(
      quantizeModel(`${folder}/part`, `${folder}/out`, options),
      /quantised already/,
    );
  });
});
