/** Configurations beside weights that somebody else wrote. */
import { compileVae, parseVaeConfig } from "../../../src/models/autoencoder.ts";
import { compileGemma3 } from "../../../src/models/gemma3.ts";
import { parseGemma3Config } from "../../../src/models/gemma3_config.ts";
import { compileJinaClip, parseJinaClipConfig } from "../../../src/models/jina_clip.ts";
import { compileNextDiT } from "../../../src/models/next_dit.ts";
import { parseNextDiTConfig } from "../../../src/models/next_dit_config.ts";
import { DTYPE_POLICIES } from "../../../src/onnx/mod.ts";
import { openWeights, type Weights } from "../../../src/safetensors/mod.ts";
import { schedulerFromConfig } from "../../../src/schedulers/mod.ts";
import { type Json, mutateJson } from "./mutate.ts";
import type { FuzzCase } from "./types.ts";

const FILE = "config.json";
const { cpu } = DTYPE_POLICIES;

type Reader = (json: Json, weights: Weights) => unknown;

/** How each part of the demo model is read and compiled. */
const PARTS: Readonly<Record<string, Reader>> = {
  "next-dit": (json, weights) =>
    compileNextDiT(parseNextDiTConfig(json, FILE, weights), weights, cpu, 1),
  transformer: (json, weights) =>
    compileGemma3(parseGemma3Config(json, FILE, weights), weights, cpu, 1),
  clip_model: (json, weights) =>
    compileJinaClip(parseJinaClipConfig(json, FILE, weights), weights, cpu),
  vae: (json, weights) => compileVae(parseVaeConfig(json, FILE, weights), weights, cpu),
  "vae-kl": (json, weights) => compileVae(parseVaeConfig(json, FILE, weights), weights, cpu),
};

const SCHEDULER: Json = {
  _class_name: "FlowMatchEulerDiscreteScheduler",
  num_train_timesteps: 1000,
  shift: 6,
};

/** Each has to be refused before anything is built of it, or to fit the weights that are there. */
export async function configs(): Promise<FuzzCase> {
  const parts = await Promise.all(
    Object.entries(PARTS).map(async ([folder, read]) => ({
      read,
      json: JSON.parse(await Deno.readTextFile(`models/demo/${folder}/${FILE}`)) as Json,
      weights: await openWeights(`models/demo/${folder}/model.safetensors`),
    })),
  );
  return (dice) => {
    if (dice.roll(6) === 0) {
      // A schedule is as long as a request asks; here the settings alone are in question.
      schedulerFromConfig(mutateJson(SCHEDULER, dice), FILE).timesteps(4);
      return;
    }
    const { read, json, weights } = dice.pick(parts);
    read(mutateJson(json, dice), weights);
  };
}
