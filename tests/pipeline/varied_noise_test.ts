/** Expected noise: torch's, mixed as tests/reference/variations.py says. */
import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { NewBieImagePipeline } from "../../src/pipeline/pipeline.ts";
import type { GenerateOptions } from "../../src/pipeline/types.ts";
import { variedNoise } from "../../src/pipeline/_varied_noise.ts";
import { tensor } from "../../src/tensor.ts";
import { assertClose, fixture, readJson } from "../_fixtures.ts";

interface Case {
  readonly name: string;
  readonly seed: number;
  readonly shape: [number, number, number];
  readonly variation?: number;
  readonly strength?: number;
  readonly from?: [number, number];
  readonly noise: number[];
}

for (const one of await readJson<Case[]>(fixture("random/variations.json"))) {
  Deno.test(`noise near a seed's is AUTOMATIC1111's: ${one.name}`, () => {
    const { shape, seed, variation, strength, from, noise } = one;
    const found = variedNoise([{ seed }], shape, {
      variation: variation === undefined ? undefined : { seed: variation, strength: strength! },
      resizeFrom: from,
    });
    assertClose(found, tensor(Float32Array.from(noise), [1, ...shape]), 1e-5, one.name);
  });
}

const load = () =>
  NewBieImagePipeline.fromPretrained(fixture("pipeline/tiny"), {
    log: () => {},
    vae: fixture("image_to_image/vae"),
  });

const quick = {
  prompt: "1girl",
  width: 32,
  height: 32,
  numInferenceSteps: 2,
  generator: { seed: 7 },
} satisfies GenerateOptions;

Deno.test("a variation of strength 0 is the picture, and of 1 the other seed's", async () => {
  await using pipe = await load();
  const { images: [plain] } = await pipe.generate(quick);
  const varied = (strength: number, seed = 8) =>
    pipe.generate({ ...quick, variation: { seed, strength } });
  assert.deepEqual((await varied(0)).images[0], plain);
  const { images: [other] } = await pipe.generate({ ...quick, generator: { seed: 8 } });
  const whole = await varied(1);
  const most = whole.images[0]!.data.reduce(
    (most, value, at) => Math.max(most, Math.abs(value - other!.data[at]!)),
    0,
  );
  assert(most <= 1);
  assert.notDeepEqual((await varied(0.3)).images[0], plain);
});

Deno.test("a random other seed is told, and makes the picture again", async () => {
  await using pipe = await load();
  for (const variation of [{ strength: 0.3 }, { strength: 0.3, seed: -1 }]) {
    const { images, settings } = await pipe.generate({ ...quick, variation });
    assert(Number(settings.variation!.seed) >= 0);
    const again = await pipe.generate({ ...quick, variation: settings.variation! });
    assert.deepEqual(again.images, images);
  }
});

Deno.test("a larger second drawing has its own size and steps, with every way to enlarge", async () => {
  await using pipe = await load();
  const upscalers = ["latent", "lanczos", fixture("upscaler/rrdb_x4")];
  const seen: Uint8ClampedArray[] = [];
  for (const upscaler of upscalers) {
    const steps: [number, number][] = [];
    const { images: [image], settings, evaluations } = await pipe.generate({
      ...quick,
      hires: { scale: 1.5, strength: 0.5, steps: 4, upscaler },
      onStep: ({ index, total }) => void steps.push([index, total]),
    });
    assert.deepEqual([image!.width, image!.height], [48, 48]);
    assert.deepEqual(steps, [[0, 4], [1, 4], [2, 4], [3, 4]]);
    assert.deepEqual([evaluations.total, settings.width], [4, 32]);
    seen.push(image!.data);
  }
  assert.notDeepEqual(seen[0], seen[1]);
  assert.notDeepEqual(seen[1], seen[2]);
});

Deno.test("with strength 0 the second drawing is the enlarged picture itself", async () => {
  await using pipe = await load();
  const hires = { scale: 2, strength: 0, upscaler: "latent" } as const;
  const { images: [image] } = await pipe.generate({ ...quick, hires });
  assert.deepEqual([image!.width, image!.height], [64, 64]);
  const { images: [latents] } = await pipe.generate({ ...quick, hires, outputType: "latent" });
  assert.deepEqual(latents!.dims, [1, 16, 8, 8]);
});

const REFUSED: readonly (readonly [string, Partial<GenerateOptions>, RegExp])[] = [
  [
    "another seed without a strength",
    { variation: { seed: 4 } },
    /needs variation\.strength \(--variation-strength\)/,
  ],
  ["a size that is none", { seedResizeFrom: "0x0" }, /expected a size such as/],
  ["a size beyond all pictures", { seedResizeFrom: "99999x99999" }, /expected a size such as/],
  [
    "a strength without a scale",
    { hires: { strength: 0.4 } },
    /\(--hires-strength\) needs hires\.scale \(--hires\)/,
  ],
  ["a scale beyond the bound", { hires: { scale: 9 } }, /hires\.scale.*from 1 to 4/],
  ["a network that is not there", { hires: { scale: 2, upscaler: "no" } }, /no upscaler "no"/],
  [
    "a second drawing beyond the model",
    { hires: { scale: 4 }, width: 256, height: 256 },
    /at most/,
  ],
];

for (const [what, options, words] of REFUSED) {
  Deno.test(`${what} is refused in both languages, before anything is computed`, async () => {
    await using pipe = await load();
    const onStep = () => assert.fail("a step was made");
    await assert.rejects(pipe.generate({ ...quick, ...options, onStep }), (error) => {
      assert(error instanceof RequestError, String(error));
      assert.match(error.message, words);
      assert.match(error.explain("zh"), /[\u4e00-\u9fff]/);
      return true;
    });
  });
}
