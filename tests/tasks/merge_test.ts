import assert from "node:assert/strict";
import { openWeights } from "../../src/safetensors/mod.ts";
import { lora, writeAdapter } from "../adapters/_written.ts";
import { inTempFolder } from "../_folders.ts";
import { runTask } from "./_task_command.ts";

const merge = (...args: string[]) => runTask("merge", args);

/** An adapter of one matrix of the demo's transformer. */
async function demoAdapter(folder: string): Promise<string> {
  const { tensors } = await openWeights("models/demo/next-dit");
  const shape = tensors.get("layers.0.feed_forward.w1.weight")!.shape as [number, number];
  return await writeAdapter(folder, lora("diffusion_model.layers.0.feed_forward.w1", shape));
}

Deno.test("deno task merge puts an adapter into a copy of a model, and says what changed", async () => {
  await inTempFolder(async (folder) => {
    const adapter = await demoAdapter(folder);
    const target = `${folder}/merged`;
    const args = ["--model", "models/demo", "--lora", `${adapter}:0.5`, "--out", target];
    const { code, out, err } = await merge(...args, "--json");
    assert.equal(code, 0, err);
    const { adapters, files } = JSON.parse(out);
    assert.deepEqual(
      adapters.map(({ weight, format, changes }: Record<string, unknown>) => ({
        weight,
        format,
        changes,
      })),
      [{ weight: 0.5, format: "comfyui", changes: { transformer: 1 } }],
    );
    assert.equal(files.length, 1);
    assert.equal(files[0].changed, 1);
    assert.match(err, /adapter\.safetensors \(comfyui\), weight 0\.5: 1 change of the transformer/);
    assert.match(err, /1 of \d+ tensors changed/);
    const there = [...Deno.readDirSync(target)].map(({ name }) => name).sort();
    assert.deepEqual(there, ["clip_model", "next-dit", "transformer", "vae"]);
  });
});

Deno.test("deno task merge says what is wrong with a request, and exits with 2", async () => {
  await inTempFolder(async (folder) => {
    const adapter = await demoAdapter(folder);
    assert.match((await merge("--help")).out, /Usage: deno task merge/);
    for (
      const [message, ...args] of [
        ["--lora", "--out", `${folder}/x`],
        ["--out", "--lora", adapter],
        ["names no adapter", "--lora", " ", "--out", `${folder}/x`],
        ["There is no adapter nobody", "--lora", "nobody:0.5", "--out", `${folder}/x`],
        ["there already", "--lora", adapter, "--out", folder],
        [
          "must be a file",
          "--lora",
          adapter,
          "--transformer",
          "models/demo/next-dit",
          "--out",
          `${folder}/x`,
        ],
      ]
    ) {
      const { code, err } = await merge(...args);
      assert.equal(code, 2, err);
      assert(err.includes(message!), err);
    }
    const { code, err } = await merge(
      "--lora",
      "models/demo/vae/model.safetensors",
      "--out",
      `${folder}/x`,
      "--lang",
      "zh",
    );
    assert.equal(code, 1, err);
    assert.match(err, /此适配器与模型不符/);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), [
      "adapter.safetensors",
    ]);
  });
});
