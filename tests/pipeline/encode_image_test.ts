/**
 * The encoders are held against diffusers in tests/models/autoencoder_encoders_test.ts; here is how the
 * pipeline gives pictures to them.
 */
import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { decodePicture, imageFromTensor, psnr, tensorFromImage } from "../../src/image/mod.ts";
import { NewBieImagePipeline } from "../../src/pipeline/pipeline.ts";
import { tensor } from "../../src/tensor.ts";
import { fixture } from "../_fixtures.ts";

const silent = { log: () => {} };

Deno.test("the demo's autoencoders give a picture back as it was, to the eye", async () => {
  const { image } = await decodePicture(await Deno.readFile("models/demo/health_check.png"));
  for (const vae of ["models/demo/vae", "models/demo/vae-kl"]) {
    const options = { ...silent, vae, offload: "model" } as const;
    await using pipe = await NewBieImagePipeline.fromPretrained(".", options);
    const latents = await pipe.encodeImage(image);
    assert.deepEqual(latents.dims, [1, 16, 32, 32]);
    const [again] = await pipe.decodeImages(latents);
    const decibels = psnr(again!, image);
    // The picture was drawn by the tiny decoder, so it comes back closely.
    assert(decibels > 25, `${vae}: ${decibels} dB`);
  }
});

Deno.test("a tensor and a decoded picture of the same values give the same latents", async () => {
  await using pipe = await NewBieImagePipeline.fromPretrained(".", silent);
  const { image } = await decodePicture(await Deno.readFile("models/demo/two_characters.png"));
  const values = tensorFromImage(image);
  assert.deepEqual(await pipe.encodeImage(values), await pipe.encodeImage(image));
  const [, , height = 0, width = 0] = values.dims;
  const pair = new Float32Array(2 * values.data.length);
  pair.set(values.data);
  pair.set(values.data.toReversed(), values.data.length);
  const two = tensor(pair, [2, 3, height, width]);
  const both = await pipe.encodeImage(two);
  const one = await pipe.encodeImage(image);
  assert.deepEqual(both.data.subarray(0, one.data.length), one.data);
  assert.notDeepEqual(both.data.subarray(one.data.length), one.data);
  assert.deepEqual(imageFromTensor(values), image);
});

Deno.test("what is no picture, or not of the right size, is refused in both languages", async () => {
  await using pipe = await NewBieImagePipeline.fromPretrained(".", silent);
  const given = [
    tensor(new Float32Array(16), [1, 1, 4, 4]),
    tensor(new Float32Array(3 * 12 * 16), [1, 3, 12, 16]),
    tensor(new Float32Array(3 * 8 * 8).fill(NaN), [1, 3, 8, 8]),
    { data: new Uint8ClampedArray(5), width: 8, height: 8 },
    { data: new Uint8ClampedArray(3), width: 1, height: 1 },
  ];
  for (const image of given) {
    await assert.rejects(pipe.encodeImage(image), (error) => {
      assert(error instanceof RequestError, String(error));
      assert.match(error.explain("zh"), /[\u4e00-\u9fff]/);
      return true;
    });
  }
});

Deno.test("a checkpoint whose VAE is a decoder alone loads, and says so when a picture is given", async () => {
  await using pipe = await NewBieImagePipeline.fromPretrained(fixture("pipeline/tiny"), silent);
  const image = { data: new Uint8ClampedArray(3 * 16 * 16), width: 16, height: 16 };
  await assert.rejects(pipe.encodeImage(image), /is a decoder alone/);
});
