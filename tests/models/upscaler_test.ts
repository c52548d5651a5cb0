/** Expected values: spandrel's in PyTorch, as tests/reference/upscalers.py wrote them. */
import assert from "node:assert/strict";
import { NewBieError } from "../../src/errors.ts";
import { imageFromTensor, resizeImage } from "../../src/image/mod.ts";
import { compileUpscaler } from "../../src/models/mod.ts";
import { CheckpointError, DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { Upscaler } from "../../src/pipeline/parts/upscaler.ts";
import { NonFiniteError } from "../../src/pipeline/parts/non_finite_error.ts";
import {
  integers,
  type RunningGraph,
  Session,
  type SessionHost,
} from "../../src/runtime/session.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { type Tensor, tensor } from "../../src/tensor.ts";
import { assertClose, fixture, readJson, readTensors } from "../_fixtures.ts";

const CPU = DTYPE_POLICIES.cpu;

for (const { name } of Deno.readDirSync(fixture("upscaler"))) {
  Deno.test(`a network enlarges as spandrel's, its scale and blocks found from its tensors: ${name}`, async () => {
    const folder = fixture(`upscaler/${name}`);
    const value = await readTensors(`${folder}/io.safetensors`);
    const facts = await readJson(`${folder}/io.json`);
    const { kind, scale, steps: [step] } = compileUpscaler(await openWeights(folder), CPU);
    assert.deepEqual({ kind, scale }, facts);
    await using session = await Session.create(step!.graph, { device: "cpu" });
    const image = value("run0.image");
    const { enlarged_tile } = await session.run({
      image,
      core_start: integers([0, 0]),
      core_end: integers(image.dims.slice(2).map((side) => side * scale)),
    });
    assertClose(enlarged_tile!, value("run0.enlarged"), 1e-5, name);
  });

  Deno.test(`tiles give the picture that one run gives, also where its size is odd: ${name}`, async () => {
    const upscaler = await Upscaler.open(fixture(`upscaler/${name}`), CPU);
    const value = await readTensors(`${fixture(`upscaler/${name}`)}/io.safetensors`);
    const { data, dims } = value("run0.image");
    const image = imageFromTensor(tensor(data.map((unit) => 2 * unit - 1), dims));
    const { width } = image;
    const odd = { data: image.data.slice(0, 3 * width * 13), width, height: 13 };
    // Larger than what a tile sees.
    const large = resizeImage(image, { width: 149, height: 121 });
    for (const picture of [image, odd, ...name.endsWith("x2") ? [large] : []]) {
      const whole = await upscaler.upscale(picture, 1e6);
      assert.deepEqual(
        [whole.width, whole.height],
        [picture.width * upscaler.scale, picture.height * upscaler.scale],
      );
      const tiled = await upscaler.upscale(picture, 5 * upscaler.scale);
      const most = tiled.data.reduce(
        (most, byte, at) => Math.max(most, Math.abs(byte - whole.data[at]!)),
        0,
      );
      // Where a value lies between two bytes, rounding may decide otherwise.
      assert(most <= 1, `off by ${most}`);
    }
  });
}

Deno.test("an upscaler stays loaded from one picture to the next, until it is freed", async () => {
  let [loaded, freed] = [0, 0];
  const host: SessionHost = {
    async create(graph, options) {
      loaded++;
      const session = await Session.create(graph, options);
      return {
        run: session.run.bind(session),
        [Symbol.asyncDispose]: async () => {
          freed++;
          await session[Symbol.asyncDispose]();
        },
      };
    },
  };
  const upscaler = await Upscaler.open(fixture("upscaler/srvgg_x4"), CPU, host);
  const image = { data: new Uint8ClampedArray(3 * 8 * 6).fill(99), width: 8, height: 6 };
  const enlarged = await upscaler.upscale(image);
  assert.deepEqual(await upscaler.upscale(image), enlarged);
  assert.deepEqual([loaded, freed], [1, 0]);
  await upscaler[Symbol.asyncDispose]();
  assert.deepEqual([loaded, freed], [1, 1]);
  assert.deepEqual(await upscaler.upscale(image), enlarged);
  await upscaler[Symbol.asyncDispose]();
  assert.deepEqual([loaded, freed], [2, 2]);
});

Deno.test("what overflows in 16 bits is enlarged in 32, and then the upscaler is blamed by its name", async () => {
  const file = fixture("upscaler/srvgg_x4");
  const exact = await Upscaler.open(file, CPU);
  const image = { data: new Uint8ClampedArray(3 * 8 * 6).fill(99), width: 8, height: 6 };
  const { steps: [inFull] } = compileUpscaler(await openWeights(file), CPU);
  const halves = { ...CPU, convolution: "float16" } as const;
  /** Overflows in 16 bits, or always. */
  const host = (always: boolean): SessionHost => ({
    async create(graph, options) {
      const session = await Session.create(graph, options);
      const isHalf = String(graph.model) !== String(inFull!.graph.model);
      return {
        async run(feeds) {
          const outputs = await session.run(feeds as never) as Record<string, Tensor>;
          if (isHalf || always) outputs["enlarged_tile"]!.data.fill(NaN);
          return outputs;
        },
        [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
      } as RunningGraph;
    },
  });
  const fallen = await Upscaler.open(file, halves, host(false));
  assert.deepEqual(await fallen.upscale(image), await exact.upscale(image));
  const broken = await Upscaler.open(file, halves, host(true));
  await assert.rejects(broken.upscale(image), (error) => {
    assert(error instanceof NonFiniteError);
    assert.equal(error.part, "upscaler");
    assert.match(error.message, /^The upscaler gave/);
    assert.match(error.explain("zh"), /^放大器给出/);
    return true;
  });
});

Deno.test("an enlargement that lost a weight is no network that enlarges less", async () => {
  const weights = await openWeights(fixture("upscaler/rrdb_old_x4"));
  const tensors = new Map(weights.tensors);
  tensors.delete("model.6.weight");
  assert.throws(() => compileUpscaler({ ...weights, tensors }, CPU), (error) => {
    assert(error instanceof CheckpointError);
    assert.deepEqual(error.problems.map(({ tensor }) => tensor), ["model.6.weight"]);
    return true;
  });
});

Deno.test("a file without such a network, and one that lacks tensors, are refused", async () => {
  const other = await openWeights(fixture("autoencoder_kl/flux_like"));
  assert.throws(() => compileUpscaler(other, CPU), (error) => {
    assert(error instanceof NewBieError);
    assert.match(error.message, /holds no upscaler/);
    assert.match(error.explain("zh"), /没有已知的放大网络/);
    return true;
  });
  const weights = await openWeights(fixture("upscaler/rrdb_x4"));
  const tensors = new Map(weights.tensors);
  tensors.delete("body.1.rdb2.conv3.bias");
  assert.throws(() => compileUpscaler({ ...weights, tensors }, CPU), (error) => {
    assert(error instanceof CheckpointError);
    assert.deepEqual(error.problems.map(({ tensor }) => tensor), ["body.1.rdb2.conv3.bias"]);
    return true;
  });
});
