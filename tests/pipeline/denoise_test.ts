/** What the transformer is asked for, seen by a host that is played. */
import assert from "node:assert/strict";
import { compileNextDiT } from "../../src/models/next_dit.ts";
import { parseNextDiTConfig } from "../../src/models/next_dit_config.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { denoise } from "../../src/pipeline/_denoise.ts";
import { drawNoise } from "../../src/pipeline/_noise.ts";
import { loadTransformer } from "../../src/pipeline/parts/load_transformer.ts";
import type { RunningGraph, RunOptions, SessionHost } from "../../src/runtime/session.ts";
import { createScheduler, type SchedulerName, withStepCache } from "../../src/schedulers/mod.ts";
import { tensor } from "../../src/tensor.ts";
import { openCase } from "../models/_case.ts";

const { weights, json, file, value } = await openCase("next_dit/plain_without_qk_norm");
const config = parseNextDiTConfig(json, file, weights);
const VELOCITY = value("run0.latents");
const { data: features, dims: [length = 0, width = 0] } = value("run0.caption_0");
const CAPTION = tensor(features, [1, length, width]);

/** Of each run of the steps' graph whether it was to give its memory back. */
async function runsOf(scheduler: SchedulerName, options: {
  readonly steps: number;
  readonly pictures: number;
  readonly givesBack: boolean;
  readonly stepCache?: number;
}) {
  const { steps, pictures, givesBack, stepCache = 0 } = options;
  const runs: boolean[] = [];
  const host: SessionHost = {
    create: ({ name }) => {
      const run = (
        _: unknown,
        _fetches?: readonly string[],
        { givesBack = false }: RunOptions = {},
      ) => {
        if (name === "next_dit_text") return Promise.resolve({ caption: CAPTION });
        runs.push(givesBack);
        return Promise.resolve({ velocity: VELOCITY });
      };
      const graph = {
        run: run as RunningGraph["run"],
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
      return Promise.resolve(graph);
    },
  };
  await using transformer = await loadTransformer(
    config,
    (policy) => compileNextDiT(config, weights, policy),
    { policy: DTYPE_POLICIES.cpu, resident: true, host },
  );
  const mask = tensor(new Float32Array(length).fill(1), [1, length]);
  const none = tensor(new Float32Array(), [1, 0]);
  const { dims: [, ...sample] } = VELOCITY;
  await denoise(transformer, {
    embeds: {
      promptEmbeds: CAPTION,
      promptAttentionMask: mask,
      pooledPromptEmbeds: none,
      negativePromptEmbeds: CAPTION,
      negativePromptAttentionMask: mask,
      negativePooledPromptEmbeds: none,
    },
    noise: drawNoise(
      pictures,
      sample as [number, number, number],
      Array.from({ length: pictures }, (_, seed) => ({ seed })),
    ),
    imagesPerPrompt: pictures,
    scheduler: withStepCache(createScheduler(scheduler), stepCache),
    steps,
    first: 0,
    guidance: { guidanceScale: 4, cfgTrunc: 1, renormCfg: 0 },
    guided: true,
    lanes: 1,
    givesBack,
  });
  return runs;
}

Deno.test("the last run of a call's last picture gives its memory back, and no other", async () => {
  const runs = await runsOf("euler", { steps: 3, pictures: 2, givesBack: true });
  assert.deepEqual(runs, [...new Array<boolean>(11).fill(false), true]);
  // The step cache never leaves it out: an even velocity is foretold wherever it may be.
  const cached = await runsOf("euler", { steps: 9, pictures: 1, givesBack: true, stepCache: 0.2 });
  assert(cached.length < 18);
  assert.deepEqual(cached, [...new Array<boolean>(cached.length - 1).fill(false), true]);
  assert.deepEqual(await runsOf("euler", { steps: 1, pictures: 1, givesBack: true }), [
    false,
    true,
  ]);
});

Deno.test("nothing is given back where the part goes anyway", async () => {
  const runs = await runsOf("euler", { steps: 2, pictures: 1, givesBack: false });
  assert.deepEqual(runs, [false, false, false, false]);
});
