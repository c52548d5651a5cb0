/** Expected values: PyTorch's, as tests/reference/upscalers.py wrote them. */
import assert from "node:assert/strict";
import { NewBieError } from "../../src/errors.ts";
import { imageFromTensor } from "../../src/image/mod.ts";
import { compileUpscaler } from "../../src/models/mod.ts";
import { CheckpointError, DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { Upscaler } from "../../src/pipeline/parts/upscaler.ts";
import { integers, Session } from "../../src/runtime/session.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { tensor } from "../../src/tensor.ts";
import { assertClose, fixture, readJson, readTensors } from "../_fixtures.ts";

const CPU = DTYPE_POLICIES.cpu;

for (const { name } of Deno.readDirSync(fixture("upscaler"))) {
  Deno.test(`a network enlarges as PyTorch's, its scale and blocks found from its tensors: ${name}`, async () => {
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
      core_end: integers([14 * scale, 22 * scale]),
    });
    assertClose(enlarged_tile!, value("run0.enlarged"), 1e-5, name);
  });

  Deno.test(`tiles give the picture that one run gives, also where its size is odd: ${name}`, async () => {
    const upscaler = await Upscaler.open(fixture(`upscaler/${name}`), CPU);
    const value = await readTensors(`${fixture(`upscaler/${name}`)}/io.safetensors`);
    const { data, dims } = value("run0.image");
    const image = imageFromTensor(tensor(data.map((unit) => 2 * unit - 1), dims));
    const odd = { data: image.data.slice(0, 3 * 22 * 13), width: 22, height: 13 };
    for (const picture of [image, odd]) {
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
