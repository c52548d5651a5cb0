/**
 * Tiled against undivided decoding. The undivided decoder is held against diffusers in
 * tests/models/autoencoder_*_test.ts.
 */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { RequestError } from "../../src/errors.ts";
import { imageFromTensor } from "../../src/image/mod.ts";
import { compileVae, compileVaeEncoder, parseVaeConfig } from "../../src/models/autoencoder.ts";
import type { TiledStep } from "../../src/models/autoencoder_graphs.ts";
import { outputPicture } from "../../src/models/autoencoder_graphs.ts";
import { DTYPE_POLICIES, Graph, INTERFACE_TYPE, scale, slice } from "../../src/onnx/mod.ts";
import { NonFiniteError } from "../../src/pipeline/parts/non_finite_error.ts";
import { Vae } from "../../src/pipeline/parts/vae.ts";
import {
  type Feeds,
  OutOfMemoryError,
  Session,
  type SessionHost,
} from "../../src/runtime/session.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { type Tensor, tensor } from "../../src/tensor.ts";
import { assertClose, fixture, readJson, relativeError } from "../_fixtures.ts";

async function load(
  folder: string,
  change: (step: TiledStep) => TiledStep = (step) => step,
): Promise<Vae> {
  const path = fixture(folder);
  const weights = await openWeights(path);
  const config = parseVaeConfig(await readJson(`${path}/config.json`), path, weights);
  const graphs = compileVae(config, weights, DTYPE_POLICIES.cpu);
  return await Vae.create(config, { ...graphs, steps: graphs.steps.map(change) }, "cpu");
}

/** Latents of a picture whose halves differ in every channel, under a noise without a pattern. */
function latentsOf(dims: readonly [number, number, number, number]): Tensor {
  const [batch, channels, height, width] = dims;
  const data = Float32Array.from({ length: batch * channels * height * width }, (_, index) => {
    const column = index % width;
    const channel = Math.floor(index / (height * width)) % channels;
    const tone = (column < width / 2 ? -1 : 1) * (1.5 - 3 * channel / (channels - 1));
    return tone + Math.sin((index + 1) * 12.9898) ** 3;
  });
  return tensor(data, dims);
}

function largestDifference(a: Tensor, b: Tensor): number {
  return a.data.reduce((most, value, index) => Math.max(most, Math.abs(value - b.data[index]!)), 0);
}

/** Small tiles for the fixtures' small pictures; neither side of the pictures is a multiple. */
const CASES = [
  { folder: "autoencoder_kl/flux_like", channels: 16, tileSize: 20 },
  { folder: "autoencoder_kl/quant_conv_first_attention_names", channels: 4, tileSize: 12 },
  { folder: "autoencoder_tiny/taesd_like", channels: 4, tileSize: 72 },
  { folder: "autoencoder_tiny/taef1_like_bf16", channels: 16, tileSize: 104 },
];

for (const { folder, channels, tileSize } of CASES) {
  Deno.test(`tiles make the picture that one run makes, seams included: ${folder}`, async () => {
    await using vae = await load(folder);
    const latents = latentsOf([2, channels, 31, 47]);
    const whole = await vae.decode(latents, { tiling: false });
    const tiled = await vae.decode(latents, { tiling: true, tileSize });
    assert.deepEqual(whole.dims, [2, 3, 31 * vae.scaleFactor, 47 * vae.scaleFactor]);
    assertClose(tiled, whole, 1e-5, folder);
    // Of pictures in -1…1: a hundredth of the step between two of a PNG's 256 tones.
    assert(largestDifference(tiled, whole) < 1e-4);
  });

  Deno.test(`tiles that see nothing beyond their edges have seams: ${folder}`, async () => {
    await using vae = await load(folder, (step) => ({ ...step, halo: 0 }));
    const latents = latentsOf([1, channels, 31, 47]);
    const whole = await vae.decode(latents, { tiling: false });
    assert(relativeError(await vae.decode(latents, { tiling: true, tileSize }), whole) > 0.01);
  });
}

Deno.test("a smaller halo than the architecture's would not do for AutoencoderTiny", async () => {
  const folder = "autoencoder_tiny/taesd_like";
  const latents = latentsOf([1, 4, 31, 47]);
  await using exact = await load(folder);
  await using short = await load(folder, (step) => ({ ...step, halo: step.halo - 1 }));
  const whole = await exact.decode(latents, { tiling: false });
  const options = { tiling: true, tileSize: 40 };
  assert(largestDifference(await exact.decode(latents, options), whole) < 1e-5);
  assert(largestDifference(await short.decode(latents, options), whole) > 1e-5);
});

Deno.test("an AutoencoderKL's half, by its own statistics, has another tone", async () => {
  await using vae = await load("autoencoder_kl/flux_like");
  const [height, width, half] = [32, 64, 32];
  const latents = latentsOf([1, 16, height, width]);
  const left = Float32Array.from({ length: 16 * height * half }, (_, index) => {
    return latents.data[Math.floor(index / half) * width + index % half]!;
  });
  const whole = await vae.decode(latents);
  const apart = await vae.decode(tensor(left, [1, 16, height, half]));
  // Far from the cut, where convolutions see the same in both.
  const { scaleFactor } = vae;
  const columns = half / 2 * scaleFactor;
  const part = ({ data, dims }: Tensor) => {
    const row = dims[3]!;
    const rows = data.length / row;
    return tensor(
      Float32Array.from({ length: rows * columns }, (_, index) => {
        return data[Math.floor(index / columns) * row + index % columns]!;
      }),
      [rows, columns],
    );
  };
  assert(relativeError(part(apart), part(whole)) > 0.05);
});

Deno.test("any size can be cut into tiles of any size", async () => {
  await using kl = await load("autoencoder_kl/quant_conv_first_attention_names");
  await using tiny = await load("autoencoder_tiny/taesd_like");
  const extent = fc.integer({ min: 1, max: 14 });
  const tileSizes = fc.integer({ min: 1, max: 120 });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(kl, tiny),
      extent,
      extent,
      tileSizes,
      async (vae, height, width, tileSize) => {
        const latents = latentsOf([1, 4, height, width]);
        const whole = await vae.decode(latents, { tiling: false });
        const tiled = await vae.decode(latents, { tiling: true, tileSize });
        assertClose(tiled, whole, 1e-5, `${height} × ${width} in tiles of ${tileSize}`);
      },
    ),
    { numRuns: 12 },
  );
});

Deno.test("pictures above 1024 × 1024 are tiled unless the caller says otherwise", async () => {
  // A decoder whose tiles are wrong shows whether it used them.
  await using vae = await load(
    "autoencoder_tiny/taesd_like",
    (step) => ({ ...step, halo: 0 }),
  );
  const largest = latentsOf([1, 4, 128, 128]);
  const larger = latentsOf([1, 4, 129, 128]);
  assert.deepEqual(await vae.decode(largest), await vae.decode(largest, { tiling: false }));
  const tiled = await vae.decode(larger);
  assert.deepEqual(tiled, await vae.decode(larger, { tiling: true }));
  assert.notDeepEqual(tiled, await vae.decode(larger, { tiling: false }));
});

Deno.test("a large picture is coded in one run where it fits, and in tiles when memory runs out", async () => {
  const path = fixture("autoencoder_tiny/taesd_like");
  const weights = await openWeights(path);
  const json = await readJson(`${path}/config.json`);
  const config = parseVaeConfig(json, path, weights);
  const runs: string[] = [];
  /** Has no memory for what is not in tiles. */
  const host = (isFull: boolean): SessionHost => ({
    async create(graph, options) {
      const session = await Session.create(graph, options);
      const run: Session["run"] = async (...args: [Feeds]) => {
        runs.push(graph.name);
        if (isFull && !graph.name.endsWith("_tile")) {
          throw new OutOfMemoryError(graph.name, "run", new Error("out of memory"));
        }
        return await session.run(...args);
      };
      return { run, [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() };
    },
  });
  const open = (isFull: boolean) =>
    Vae.create(config, compileVae(config, weights, DTYPE_POLICIES.cpu), "cpu", {
      encoder: () => compileVaeEncoder(config, json, path, weights, DTYPE_POLICIES.cpu),
      fitsWhole: () => true,
      host: host(isFull),
    });
  const latents = latentsOf([1, 4, 129, 128]);
  const names = () => runs.splice(0).map((name) => name.replace("autoencoder_tiny", ""));
  await using whole = await open(false);
  const picture = await whole.decode(latents);
  const coded = await whole.encode(picture);
  assert.deepEqual(names(), ["", "_encoder"]);
  await using tiled = await open(true);
  assertClose(await tiled.decode(latents), picture, 1e-5, "decoded");
  assert.deepEqual([...new Set(names())], ["", "_tile"]);
  assertClose(await tiled.encode(picture), coded, 1e-5, "encoded");
  assert.deepEqual([...new Set(names())], ["_encoder", "_encoder_tile"]);
  // What is small is not tried again.
  await assert.rejects(tiled.decode(latentsOf([1, 4, 4, 4])), OutOfMemoryError);
  await assert.rejects(tiled.decode(latents, { tiling: false }), OutOfMemoryError);
});

Deno.test("latents of another autoencoder are refused with both numbers", async () => {
  await using vae = await load("autoencoder_kl/flux_like");
  await assert.rejects(vae.decode(latentsOf([1, 4, 2, 2])), (error) => {
    assert(error instanceof RequestError);
    assert.match(error.message, /have 4 channels.*decodes 16/);
    return true;
  });
  await assert.rejects(vae.decode(tensor(new Float32Array(0), [1, 16, 0, 4])), /not empty/);
  const latents = latentsOf([1, 16, 2, 2]);
  await assert.rejects(vae.decode(latents, { tiling: true, tileSize: 0 }), /tileSize must be 1/);
});

for (const folder of ["autoencoder_kl/flux_like", "autoencoder_tiny/taef1_like"]) {
  Deno.test(`pictures are those of the decoded values, in one run and in tiles: ${folder}`, async () => {
    await using vae = await load(folder);
    const latents = latentsOf([2, 16, 5, 4]);
    for (const tiling of [false, true]) {
      const options = { tiling, tileSize: 16 };
      const decoded = await vae.decode(latents, options);
      const images = await vae.decodeImages(latents, options);
      assert.deepEqual(images, [imageFromTensor(decoded, 0), imageFromTensor(decoded, 1)]);
    }
  });

  Deno.test(`latents that are no numbers make no picture: ${folder}`, async () => {
    await using vae = await load(folder);
    const latents = latentsOf([2, 16, 5, 4]);
    latents.data[400] = NaN;
    for (const tiling of [false, true]) {
      const options = { tiling, tileSize: 16 };
      await assert.rejects(vae.decode(latents, options), NonFiniteError);
      await assert.rejects(vae.decodeImages(latents, options), NonFiniteError);
    }
  });
}

Deno.test("a decoder that overflows in 16 bits goes over to float32, once", async () => {
  const path = fixture("autoencoder_tiny/taef1_like");
  const weights = await openWeights(path);
  const config = parseVaeConfig(await readJson(`${path}/config.json`), path, weights);
  const graphs = compileVae(config, weights, DTYPE_POLICIES.cpu);
  const overflowing = new Graph("overflowing");
  const given = overflowing.input("latents", INTERFACE_TYPE, ["B", 16, "h", "w"]);
  outputPicture(overflowing, scale(slice(given, 0, 3, 1), Infinity), 3);
  let uses = 0;
  await using vae = await Vae.create(
    config,
    { ...graphs, whole: overflowing.compile() },
    "cpu",
    { fallback: { exactGraphs: () => graphs, onUse: () => uses++ } },
  );
  await using exact = await load("autoencoder_tiny/taef1_like");
  const latents = latentsOf([1, 16, 5, 4]);
  assert.deepEqual(await vae.decodeImages(latents), await exact.decodeImages(latents));
  assert.deepEqual(await vae.decode(latents), await exact.decode(latents));
  assert.equal(uses, 1);
});
