/** A recipe to vary. */
import type { Recipe } from "../../src/recipe/mod.ts";

const digits = (digit: string) => digit.repeat(64);

export const RECIPE: Recipe = {
  prompt: "<character_1>\n<n>miku</n>\n</character_1>",
  negativePrompt: "blurry, low quality",
  generator: { seed: 42, device: "cpu" },
  numInferenceSteps: 30,
  guidanceScale: 7,
  cfgTrunc: 100,
  renormCfg: 1,
  scheduler: { name: "euler", shift: 6 },
  width: 256,
  height: 192,
  models: {
    layout: "toolkit",
    transformer: { name: "demo/next-dit", sha256: digits("a") },
    textEncoder: { name: "demo/transformer", sha256: digits("b") },
    clipModel: { name: "demo/clip_model", sha256: digits("c") },
    vae: { name: "demo/vae", sha256: digits("d") },
  },
  provider: "cpu",
  dtype: "float32",
  versions: { toolkit: "0.1.0", deno: "2.9.6", onnxruntime: "1.29.0" },
};
