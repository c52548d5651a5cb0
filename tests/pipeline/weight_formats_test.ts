/** The demo model, each of its parts in another format: float8, int8, GGUF and bfloat16 together. */
import assert from "node:assert/strict";
import { writeGguf } from "../../src/gguf/mod.ts";
import { readModel } from "../../src/doctor/models.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { writeGraph } from "../../src/onnx/write_graph.ts";
import { partGraph } from "../../src/pipeline/part_graph.ts";
import { Session } from "../../src/runtime/session.ts";
import { NewBieImagePipeline } from "../../src/pipeline/pipeline.ts";
import { findCheckpoint } from "../../src/pipeline/checkpoint/find_checkpoint.ts";
import type { PretrainedOptions } from "../../src/pipeline/types.ts";
import { identifyModels } from "../../src/recipe/identify_models.ts";
import { tensor } from "../../src/tensor.ts";
import { relativeError } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { latents as latentsOf } from "./_latents.ts";
import {
  COMFYUI,
  readTensors,
  type Stored,
  type Tensors,
  writeComfyUi,
  writeTensors,
} from "./_rewritten.ts";

const DIT = "diffusion_models/newbie.safetensors";
const GEMMA = "text_encoders/gemma";

function fromBfloat16({ bytes }: Stored): Float32Array {
  const halves = new Uint16Array(bytes.slice().buffer);
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}

const float32 = (values: Float32Array, shape: readonly number[]): Stored => {
  return { dtype: "F32", shape, bytes: new Uint8Array(values.slice().buffer) };
};

/** All numbers of float8 e4m3fn from 0 on, by their bytes. */
const E4M3 = Float32Array.from({ length: 127 }, (_, byte) => {
  const [exponent, mantissa] = [byte >> 3, byte & 7];
  return exponent === 0 ? mantissa * 2 ** -9 : (8 + mantissa) * 2 ** (exponent - 10);
});

function nearestE4M3(value: number): number {
  let [low, high] = [0, 126];
  const size = Math.abs(value);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (E4M3[middle]! <= size) low = middle;
    else high = middle;
  }
  const byte = size - E4M3[low]! <= E4M3[high]! - size ? low : high;
  return value < 0 ? byte | 128 : byte;
}

/** Matrices as float8 with a scale, and the same as float32. */
function toFloat8(original: Tensors): { readonly file: Tensors; readonly decoded: Tensors } {
  const file: Record<string, Stored> = {};
  const decoded: Record<string, Stored> = {};
  for (const [name, stored] of Object.entries(original)) {
    const values = fromBfloat16(stored);
    decoded[name] = float32(values, stored.shape);
    file[name] = stored;
    if (stored.shape.length !== 2) continue;
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const scale = Math.fround(largest / 448);
    const bytes = Uint8Array.from(values, (value) => nearestE4M3(value / scale));
    const rounded = Float32Array.from(bytes, (byte) => {
      return E4M3[byte & 127]! * scale * (byte < 128 ? 1 : -1);
    });
    file[name] = { dtype: "F8_E4M3", shape: stored.shape, bytes };
    file[name.replace(/weight$/, "scale_weight")] = float32(Float32Array.of(scale), []);
    decoded[name] = float32(rounded, stored.shape);
  }
  file.scaled_fp8 = { dtype: "F8_E4M3", shape: [0], bytes: new Uint8Array() };
  return { file, decoded };
}

/** What llama.cpp's converter calls Gemma's tensors. */
function llamaName(name: string): string {
  return name.replace(/^model\./, "").replace("embed_tokens", "token_embd")
    .replace(/^norm\./, "output_norm.").replace(/^layers\./, "blk.")
    .replace("input_layernorm", "attn_norm").replace(
      "post_attention_layernorm",
      "post_attention_norm",
    )
    .replace("pre_feedforward_layernorm", "ffn_norm")
    .replace("post_feedforward_layernorm", "post_ffw_norm")
    .replace(/self_attn\.([qk])_norm/, "attn_$1_norm").replace(/self_attn\.([qkv])_proj/, "attn_$1")
    .replace("self_attn.o_proj", "attn_output").replace(/mlp\.(\w+)_proj/, "ffn_$1");
}

/** Matrices as Q8_0 or Q4_0, norms with the one that they are multiplied with; and as float32. */
async function writeGemma(
  path: string,
  original: Tensors,
  type: "Q8_0" | "Q4_0",
): Promise<Tensors> {
  const decoded: Record<string, Stored> = {};
  const bits = type === "Q8_0" ? 8 : 4;
  const tensors = Object.entries(original).map(([name, stored]) => {
    const { shape } = stored;
    const values = fromBfloat16(stored);
    decoded[name] = float32(values, shape);
    if (shape.length === 1) {
      // Both additions round.
      const whole = values.map((value) => value + 1);
      decoded[name] = float32(whole.map((value) => value - 1), shape);
      return {
        name: llamaName(name),
        type: "F32",
        shape,
        bytes: () => [float32(whole, shape).bytes],
      };
    }
    const rounded = new Float32Array(values.length);
    const blockBytes = 2 + 32 * bits / 8;
    const bytes = new Uint8Array(values.length / 32 * blockBytes);
    for (let block = 0; block < values.length / 32; block++) {
      const own = values.subarray(32 * block, 32 * block + 32);
      const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const half = new Float16Array([largest / (2 ** (bits - 1) - 1)]);
      bytes.set(new Uint8Array(half.buffer), block * blockBytes);
      const scale = half[0]!;
      own.forEach((value, i) => {
        const limit = 2 ** (bits - 1) - 1;
        const point = scale === 0
          ? 0
          : Math.max(-limit, Math.min(limit, Math.round(value / scale)));
        rounded[32 * block + i] = point * scale;
        const at = block * blockBytes + 2;
        if (bits === 8) bytes[at + i] = point;
        else bytes[at + (i & 15)]! |= (point + 8) << (i < 16 ? 0 : 4);
      });
    }
    decoded[name] = float32(rounded, shape);
    return { name: llamaName(name), type, shape, bytes: () => [bytes] };
  });
  await writeGguf(path, tensors, {
    "general.architecture": "gemma3",
    "gemma3.block_count": 6,
    "gemma3.embedding_length": 256,
    "gemma3.attention.head_count": 4,
    "gemma3.attention.key_length": 64,
    "gemma3.attention.sliding_window": 512,
    "gemma3.attention.layer_norm_rms_epsilon": { float32: 1e-6 },
    "gemma3.rope.freq_base": { float32: 10_000 },
  });
  return decoded;
}

const latents = (folder: string, options: PretrainedOptions = {}) =>
  latentsOf(folder, options, {
    prompt: "1girl, blue hair",
    numInferenceSteps: 2,
    guidanceScale: 2,
  });

const transformer = toFloat8(await readTensors("models/demo/next-dit/model.safetensors"));
const gemma = await readTensors("models/demo/transformer/model.safetensors");

/** The transformer in float8, the encoder in GGUF without a config.json, the others in bfloat16. */
async function writeMix(folder: string, type: "Q8_0" | "Q4_0"): Promise<Tensors> {
  await writeComfyUi(folder);
  await writeTensors(`${folder}/${DIT}`, transformer.file);
  await Deno.remove(`${folder}/${GEMMA}.safetensors`);
  await Deno.remove(`${folder}/${GEMMA}.json`);
  return await writeGemma(`${folder}/${GEMMA}.gguf`, gemma, type);
}

/** The same values in float32. */
async function writeDecoded(folder: string, decodedGemma: Tensors): Promise<void> {
  await writeComfyUi(folder);
  await writeTensors(`${folder}/${DIT}`, transformer.decoded);
  await writeTensors(`${folder}/${GEMMA}.safetensors`, decodedGemma);
}

function assertSame(actual: Float32Array, expected: Float32Array): void {
  const [a, b] = [actual, expected].map((values) => tensor(values, [values.length]));
  const error = relativeError(a!, b!);
  assert(error < 1e-4, `relative error ${error}`);
}

for (const type of ["Q8_0", "Q4_0"] as const) {
  Deno.test(`a float8 transformer, an encoder in GGUF's ${type} and a bfloat16 decoder draw as their values do`, async () => {
    await inTempFolder(async (folder) => {
      const [mix, decoded] = [`${folder}/mix`, `${folder}/decoded`];
      await writeDecoded(decoded, await writeMix(mix, type));
      const expected = await latents(decoded);
      for (const offload of ["none", "model", "sequential"] as const) {
        assertSame(await latents(mix, { offload }), expected);
      }
    });
  });
}

Deno.test("parts in other formats take the place of the demo's, one by one", async () => {
  await inTempFolder(async (folder) => {
    const [mix, decoded] = [`${folder}/mix`, `${folder}/decoded`];
    await writeDecoded(decoded, await writeMix(mix, "Q8_0"));
    const named = await latents("models/demo", {
      transformer: `${mix}/${DIT}`,
      textEncoder: `${mix}/${GEMMA}.gguf`,
    });
    const expected = await latents("models/demo", {
      transformer: `${decoded}/${DIT}`,
      textEncoder: `${decoded}/${GEMMA}.safetensors`,
    });
    assertSame(named, expected);
  });
});

Deno.test("a GGUF file stands alone in a part's folder, and is known there", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/vae`, { recursive: true });
    for (const part of ["next-dit", "clip_model", "vae", "transformer"]) {
      await Deno.mkdir(`${folder}/${part}`, { recursive: true });
      for await (const { name } of Deno.readDir(`models/demo/${part}`)) {
        if (part === "transformer" && /^(config.json|model)/.test(name)) continue;
        await Deno.copyFile(`models/demo/${part}/${name}`, `${folder}/${part}/${name}`);
      }
    }
    await writeGemma(`${folder}/transformer/gemma-3-demo-Q8_0.gguf`, gemma, "Q8_0");
    // Published beside it: the projector of a vision tower, by llama.cpp's names.
    const projector = `${folder}/transformer/mmproj-gemma-3-demo-F32.gguf`;
    const bytes = () => [new Uint8Array(4 * 32)];
    const names = ["mm.soft_emb_norm.weight", "v.post_ln.weight"];
    const sources = names.map((name) => ({ name, type: "F32", shape: [32], bytes }));
    await writeGguf(projector, sources, { "general.architecture": "clip" });
    const files = await findCheckpoint(folder);
    assert.deepEqual(files.textEncoder, { weights: `${folder}/transformer` });
    const { textEncoder } = await identifyModels(files);
    assert.match(textEncoder.name, /transformer$/);
    assert.equal(textEncoder.config, undefined);
    const { parts } = await readModel(folder);
    const found = parts.find(({ name }) => name === "textEncoder")!;
    assert("dtypes" in found, JSON.stringify(found));
    assert.deepEqual(found.dtypes, ["F32", "Q8_0"]);
    await latents(folder);
    await assert.rejects(
      latents(folder, { textEncoder: projector }),
      /not the weights of the text encoder.*projector of a vision tower \(mmproj\)/,
    );
  });
});

Deno.test("a graph over GGUF's blocks is written with the weights that it unpacks", async () => {
  await inTempFolder(async (folder) => {
    await writeMix(`${folder}/mix`, "Q4_0");
    const graph = await partGraph(`${folder}/mix`, "text-encoder", DTYPE_POLICIES.cpu);
    const [weights] = await writeGraph(graph, `${folder}/encoder.onnx`);
    assert.equal(weights, `${folder}/encoder.weights.bin`);
    const model = await Deno.readFile(`${folder}/encoder.onnx`);
    const { memory: _, ...rest } = graph;
    const feeds = Object.fromEntries(graph.inputs.map(({ name, dims }) => {
      const extents = dims.map((dim) => typeof dim === "number" ? dim : 3);
      const count = extents.reduce((product, extent) => product * extent, 1);
      const values = Float32Array.from({ length: count }, (_, index) => Math.sin(index));
      return [name, tensor(values, extents)];
    }));
    await using written = await Session.create({ ...rest, model, weightFolder: folder }, {
      device: "cpu",
    });
    await using direct = await Session.create(graph, { device: "cpu" });
    assert.deepEqual(await written.run(feeds), await direct.run(feeds));
  });
});

Deno.test("encoders and decoder in plain float8, convolutions and tables among them, draw as their values do", async () => {
  await inTempFolder(async (folder) => {
    const [eight, decoded] = [`${folder}/eight`, `${folder}/decoded`];
    for (const place of [eight, decoded]) await writeComfyUi(place);
    for (const [source, target] of Object.values(COMFYUI)) {
      if (source === COMFYUI.transformer[0]) continue;
      const original = await readTensors(`models/demo/${source}/model.safetensors`);
      const file: Record<string, Stored> = {};
      const values: Record<string, Stored> = {};
      for (const [name, stored] of Object.entries(original)) {
        const isRounded = stored.shape.length > 1 && stored.dtype === "BF16";
        const bytes = isRounded ? Uint8Array.from(fromBfloat16(stored), nearestE4M3) : stored.bytes;
        file[name] = isRounded ? { dtype: "F8_E4M3", shape: stored.shape, bytes } : stored;
        values[name] = isRounded
          ? float32(
            Float32Array.from(bytes, (byte) => E4M3[byte & 127]! * (byte < 128 ? 1 : -1)),
            stored.shape,
          )
          : stored;
      }
      await writeTensors(`${eight}/${target}.safetensors`, file);
      await writeTensors(`${decoded}/${target}.safetensors`, values);
    }
    const pixels = async (place: string) => {
      const options = { log: () => {}, device: "cpu", offload: "model" } as const;
      await using pipe = await NewBieImagePipeline.fromPretrained(place, options);
      const { images: [image] } = await pipe.generate({
        prompt: "1girl",
        width: 64,
        height: 64,
        numInferenceSteps: 1,
        guidanceScale: 1,
        generator: { seed: 1 },
      });
      return (image as { data: Uint8ClampedArray }).data;
    };
    const [found, expected] = [await pixels(eight), await pixels(decoded)];
    const furthest = expected.reduce((most, value, i) => {
      return Math.max(most, Math.abs(value - found[i]!));
    }, 0);
    assert(furthest <= 1, `a pixel differs by ${furthest}`);
  });
});
