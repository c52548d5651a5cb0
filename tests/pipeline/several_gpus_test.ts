/** GPUs are played by threads: each computes on the CPU, as a thread of a GPU's own does on its GPU. */
import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { NEWBIE } from "../../src/families/mod.ts";
import { KERNEL_THREAD } from "../../src/kernels/thread_module.ts";
import { compileNextDiT } from "../../src/models/next_dit.ts";
import { parseNextDiTConfig } from "../../src/models/next_dit_config.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { stackPadded } from "../../src/pipeline/_batches.ts";
import { denoise } from "../../src/pipeline/_denoise.ts";
import { requireGpuMemory } from "../../src/pipeline/_memory_budget.ts";
import { sideBySide } from "../../src/side_by_side.ts";
import { loadTransformer } from "../../src/pipeline/parts/load_transformer.ts";
import type { Transformer } from "../../src/pipeline/parts/transformer.ts";
import { drawNoise } from "../../src/pipeline/_noise.ts";
import type { PromptEmbeds } from "../../src/pipeline/types.ts";
import { SessionThread } from "../../src/runtime/session_thread.ts";
import { createScheduler } from "../../src/schedulers/mod.ts";
import { tensor } from "../../src/tensor.ts";
import { openCase } from "../models/_case.ts";

const { weights, json, file, value } = await openCase("next_dit/plain_without_qk_norm");
const config = parseNextDiTConfig(json, file, weights);

/** A small transformer: on this thread, or for several GPUs on a thread for each. */
async function load(count: number, resident: boolean) {
  await using stack = new AsyncDisposableStack();
  const gpus: { deviceId: number; thread: SessionThread }[] = [];
  for (let deviceId = 0; count > 1 && deviceId < count; deviceId++) {
    gpus.push({ deviceId, thread: stack.use((await SessionThread.open(KERNEL_THREAD))!) });
  }
  const transformer = stack.use(
    await loadTransformer(
      config,
      (policy) => compileNextDiT(config, weights, policy),
      { policy: DTYPE_POLICIES.cpu, resident, gpus },
    ),
  );
  const resources = stack.move();
  return { transformer, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** Two prompts, each of which is the other's negative prompt. */
const EMBEDS: PromptEmbeds = (() => {
  const { data, dims: [length = 0, width = 0] } = value("run0.caption_0");
  const long = tensor(data, [1, length, width]);
  const short = tensor(data.slice(width).map((value) => -value), [1, length - 1, width]);
  const [promptEmbeds, promptAttentionMask] = stackPadded([long, short]);
  const [negativePromptEmbeds, negativePromptAttentionMask] = stackPadded([short, long]);
  const none = tensor(new Float32Array(), [2, 0]);
  return {
    promptEmbeds,
    promptAttentionMask,
    pooledPromptEmbeds: none,
    negativePromptEmbeds,
    negativePromptAttentionMask,
    negativePooledPromptEmbeds: none,
  };
})();

/** Two pictures of each of two prompts. */
async function draw(transformer: Transformer, lanes: number, guided: boolean) {
  const { dims: [, ...sample] } = value("run0.latents");
  const order: number[] = [];
  const generators = [1, 2, 3, 4].map((seed) => ({ seed }));
  const { samples } = await denoise(transformer, {
    embeds: EMBEDS,
    noise: drawNoise(4, sample as [number, number, number], generators),
    imagesPerPrompt: 2,
    scheduler: createScheduler("euler"),
    steps: 3,
    first: 0,
    guidance: { guidanceScale: guided ? 4 : 1, cfgTrunc: 1, renormCfg: 0 },
    guided,
    lanes,
    givesBack: true,
    onStep: ({ imageIndex }) => void order.push(imageIndex),
  });
  return { samples, order };
}

for (const guided of [true, false]) {
  for (const resident of [true, false]) {
    const how = `${guided ? "with" : "without"} guidance, ${resident ? "loaded" : "offloaded"}`;
    Deno.test(`two GPUs draw what one draws, bit for bit, side by side: ${how}`, async () => {
      await using one = await load(1, resident);
      const alone = await draw(one.transformer, 1, guided);
      assert.deepEqual(alone.order, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
      await using two = await load(2, resident);
      const together = await draw(two.transformer, 2, guided);
      assert.deepEqual(together.samples, alone.samples);
      assert.deepEqual(together.order.toSorted(), alone.order);
    });
  }
}

Deno.test("work side by side begins in its order, so much at a time", async () => {
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const all = sideBySide(4, 2, async (index) => {
    begun.push(index);
    await new Promise<void>((resolve) => ends[index] = resolve);
  });
  const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(begun, [0, 1]);
  ends[1]!();
  await turn();
  assert.deepEqual(begun, [0, 1, 2]);
  ends[0]!();
  ends[2]!();
  await turn();
  ends[3]!();
  await all;
  assert.deepEqual(begun, [0, 1, 2, 3]);
});

Deno.test("what fails stops what is beside it, and is thrown when all have ended", async () => {
  const ended: number[] = [];
  const failed = new Error("full");
  const all = sideBySide(3, 2, async (index, signal) => {
    if (index === 0) throw failed;
    while (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 0));
    ended.push(index);
    signal.throwIfAborted();
  });
  await assert.rejects(all, (error) => error === failed);
  assert.deepEqual(ended, [1]);
});

Deno.test("a GPU that has no room for the transformer is refused before anything is loaded", () => {
  const parts = NEWBIE.published.parts;
  const others = (
    memoryFree: number,
  ) => [{ deviceId: 1, gpu: "NVIDIA GeForce RTX 3060", memoryFree }];
  // docs/weights.md: the transformer takes 9.4 GB; a sixth of its weights is 1.2 of them.
  requireGpuMemory(parts, others(12e9), "none", { dtype: "bfloat16" });
  requireGpuMemory(parts, [{ deviceId: 1 }], "none", { dtype: "bfloat16" });
  requireGpuMemory(parts, others(6e9), "sequential", { dtype: "bfloat16" });
  assert.throws(
    () => requireGpuMemory(parts, others(6e9), "model", { dtype: "bfloat16" }),
    (error) => {
      assert.ok(error instanceof RequestError);
      assert.match(
        error.explain("en"),
        /cuda:1 \(.*3060\) has 5\.6 GiB of memory free, .*--gpus 1$/,
      );
      assert.match(error.explain("zh"), /cuda:1（.*3060）空闲显存为 5\.6 GiB.*--gpus 1$/);
      return true;
    },
  );
});
