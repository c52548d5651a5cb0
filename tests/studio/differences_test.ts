import assert from "node:assert/strict";
import type { Recipe } from "../../src/recipe/mod.ts";
import { type RecipeDifference, Studio } from "../../src/studio/studio.ts";

Deno.test("a studio says in which part it differs from the one that made a picture", async () => {
  await using studio = await Studio.open("models/demo", { device: "cpu", log: () => {} });
  const { recipe } = await studio.make({
    prompt: "1girl",
    width: 32,
    height: 32,
    numInferenceSteps: 1,
    guidanceScale: 1,
    generator: { seed: 1 },
  });
  assert.deepEqual(await studio.differences(recipe), []);

  const { models, versions } = recipe;
  const other = { name: "other", sha256: "0".repeat(64) };
  const changed: Readonly<Partial<Record<RecipeDifference, Recipe>>> = {
    transformer: { ...recipe, models: { ...models, transformer: other } },
    textEncoder: { ...recipe, models: { ...models, textEncoder: other } },
    clipModel: { ...recipe, models: { ...models, clipModel: other } },
    vae: { ...recipe, models: { ...models, vae: other } },
    provider: { ...recipe, provider: "cuda" },
    dtype: { ...recipe, dtype: "bfloat16" },
    onnxruntime: { ...recipe, versions: { ...versions, onnxruntime: "1.0.0" } },
    arithmetic: { ...recipe, arithmetic: { processor: "AVX-512", fingerprint: "0".repeat(16) } },
  };
  for (const [part, differing] of Object.entries(changed)) {
    assert.deepEqual(await studio.differences(differing), [part]);
  }
  // What lies beside the weights draws along, and the first recipes do not tell of it.
  const sha256 = "0".repeat(64);
  for (const part of ["textEncoder", "clipModel"] as const) {
    for (const file of ["config", "tokenizer"] as const) {
      const model = models[part]!;
      assert(model[file] !== undefined && model[file] !== sha256);
      const differing = { ...models, [part]: { ...model, [file]: sha256 } };
      assert.deepEqual(await studio.differences({ ...recipe, models: differing }), [part]);
      const { [file]: _, ...untold } = model;
      const first = { ...models, [part]: untold };
      assert.deepEqual(await studio.differences({ ...recipe, models: first }), []);
    }
  }
  // Neither the versions of Deno and the toolkit nor the names of models change the picture.
  const renamed = { ...models, vae: { ...models.vae, name: "other" } };
  assert.deepEqual(
    await studio.differences({
      ...recipe,
      models: renamed,
      versions: { ...versions, deno: "1.0.0", toolkit: "0.0.1" },
    }),
    [],
  );
});
