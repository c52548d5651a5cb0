/**
 * The text `parameters` that AUTOMATIC1111's web UI began and that viewers of pictures read: the
 * prompt, a line `Negative prompt: …`, and a last line of `name: value` with commas between.
 *
 * Form: `create_infotext` in modules/processing.py of AUTOMATIC1111/stable-diffusion-webui writes
 * it, `parse_generation_parameters` in modules/infotext_utils.py there reads it.
 *
 * @module
 */
import type { SchedulerName } from "../schedulers/mod.ts";
import type { Recipe, RecipeModel } from "./types.ts";

/** The keyword of the text. */
export const PARAMETERS_KEYWORD = "parameters";

const NEGATIVE_PROMPT = "Negative prompt:";

/** The web UI's names of samplers; it has no midpoint rule. */
const SAMPLERS: Readonly<Record<SchedulerName, string>> = {
  euler: "Euler",
  midpoint: "Midpoint",
  heun: "Heun",
  "dpm-solver++": "DPM++ 2M",
  res_multistep: "Res Multistep",
};

/** The web UI shows and compares so much of a SHA-256. */
const SHORT_HASH_DIGITS = 10;

/** A recipe in that form. What a reader cannot be told in it is left to the JSON. */
export function parametersText(recipe: Recipe): string {
  const { transformer, textEncoder, clipModel, vae } = recipe.models;
  const { seed, device } = recipe.generator;
  const parameters: Record<string, string> = {
    Steps: `${recipe.numInferenceSteps}`,
    Sampler: SAMPLERS[recipe.scheduler.name],
    "CFG scale": `${recipe.guidanceScale}`,
    Seed: `${seed}`,
    Size: `${recipe.width}x${recipe.height}`,
    ...named("Model", transformer),
    ...named("VAE", vae),
    ...named("Text encoder", textEncoder),
    ...(clipModel === undefined ? {} : named("CLIP", clipModel)),
    Shift: `${recipe.scheduler.shift}`,
    ...(recipe.stepCache === undefined ? {} : { "Step cache": `${recipe.stepCache}` }),
    RNG: device === "cpu" ? "CPU" : "NV",
    // Not a bare number, which readers take for a version of the web UI.
    Version: `NewBie toolkit ${recipe.versions.toolkit}`,
  };
  const last = Object.entries(parameters).map(([name, value]) => `${name}: ${quoted(value)}`);
  const negative = recipe.negativePrompt === ""
    ? []
    : [`${NEGATIVE_PROMPT} ${plain(recipe.negativePrompt)}`];
  return [plain(recipe.prompt), ...negative, plain(last.join(", "))].join("\n").trim();
}

function named(part: string, { name, sha256 }: RecipeModel): Record<string, string> {
  return { [`${part} hash`]: sha256.slice(0, SHORT_HASH_DIGITS), [part]: name };
}

/** PNG's texts know one end of line, and no U+0000. */
function plain(text: string): string {
  return text.replaceAll(/\r\n?/g, "\n").replaceAll("\0", "\ufffd");
}

/** As a JSON string where it would be taken for something else. */
function quoted(value: string): string {
  return /[,:\r\n"]/.test(value) ? JSON.stringify(value) : value;
}

const PARAMETER = /\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/g;
/** With fewer, the last line is part of the prompt. */
const FEWEST_PARAMETERS = 3;

/** What another program's text says, by its names; `Prompt` and `Negative prompt` too. */
export function readParameters(text: string): Record<string, string> {
  const lines = text.trim().split("\n").map((line) => line.trim());
  const found = [...lines.at(-1)!.matchAll(PARAMETER)];
  const hasParameters = found.length >= FEWEST_PARAMETERS;
  const prompts = hasParameters ? lines.slice(0, -1) : lines;
  const place = prompts.findIndex((line) => line.startsWith(NEGATIVE_PROMPT));
  const end = place < 0 ? prompts.length : place;
  return {
    Prompt: prompts.slice(0, end).join("\n"),
    "Negative prompt": prompts.slice(end).join("\n").slice(NEGATIVE_PROMPT.length).trim(),
    ...Object.fromEntries(
      hasParameters ? found.map(([, name, value]) => [name!, unquoted(value!)]) : [],
    ),
  };
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}
