/** Recipes in the texts of pictures, of this toolkit and of other programs. */
import { readForeignRecipe, readRecipe, type Recipe, recipeText } from "../../../src/recipe/mod.ts";
import { type Json, jsonText, mutateJson, mutateText, wildText } from "./mutate.ts";
import type { FuzzCase } from "./types.ts";

const sha256 = "0123456789abcdef".repeat(4);
const RECIPE: Recipe = {
  prompt: "<character_1><n>miku</n></character_1>",
  negativePrompt: "blurry",
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
    transformer: { name: "demo/next-dit", sha256 },
    textEncoder: { name: "demo/transformer", sha256 },
    clipModel: { name: "demo/clip_model", sha256 },
    vae: { name: "demo/vae", sha256 },
  },
  provider: "cpu",
  dtype: "float32",
  versions: { toolkit: "0.1.0", deno: "2.9.6", onnxruntime: "1.29.0" },
};
/** As AUTOMATIC1111's web UI and its kin write it. */
const PARAMETERS =
  "masterpiece, 1girl\nNegative prompt: blurry\nSteps: 20, Sampler: DPM++ 2M Karras, " +
  'CFG scale: 7, Seed: 1, Size: 512x768, Model hash: abcdef, Lora hashes: "a: 1, b: 2", Version: v1.9';
const WORKFLOW: Json = { "3": { class_type: "KSampler", inputs: { seed: 1, steps: 20, cfg: 8 } } };

/** Texts by keyword, each damaged or not, and sometimes one beside the other. */
export function recipes(): FuzzCase {
  const own = recipeText(RECIPE);
  const json = JSON.parse(own["newbie"]!) as Json;
  return (dice) => {
    const texts: Record<string, string> = {};
    if (dice.roll(2) === 0) texts["newbie"] = jsonText(mutateJson(json, dice), dice);
    if (dice.roll(2) === 0) {
      let parameters = dice.pick([own["parameters"]!, PARAMETERS]);
      for (let times = dice.roll(4); times > 0; times--) parameters = mutateText(parameters, dice);
      texts["parameters"] = parameters;
    }
    if (dice.roll(3) === 0) {
      texts[dice.pick(["prompt", "workflow", "Comment", "invokeai_metadata", "sd-metadata"])] =
        jsonText(mutateJson(WORKFLOW, dice), dice);
    }
    if (dice.roll(4) === 0) texts[wildText(dice).slice(0, 80)] = wildText(dice);
    if (dice.roll(2) === 0) readForeignRecipe(texts);
    else readRecipe(texts);
  };
}
