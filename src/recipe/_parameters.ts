/**
 * The text `parameters` that AUTOMATIC1111's web UI began and that viewers of pictures read: the
 * prompt, a line `Negative prompt: …`, and a last line of `name: value` with commas between.
 *
 * Form: `create_infotext` in modules/processing.py of AUTOMATIC1111/stable-diffusion-webui writes
 * it. What others write in that form is read by `read_parameters.ts`.
 *
 * @module
 */
import { SETTINGS, type SettingsTable, toInfotext } from "../settings/mod.ts";
import type { Recipe, RecipeAdapter, RecipeModel } from "./types.ts";

/** The keyword of the text. */
export const PARAMETERS_KEYWORD = "parameters";

const NEGATIVE_PROMPT = "Negative prompt:";

/** The web UI shows and compares so much of a SHA-256. */
const SHORT_HASH_DIGITS = 10;

/** The checksums of adapters by their names. */
export const LORA_HASHES = "Lora hashes";

/** What the web UI itself writes, in its order; the rest stands behind the names of the models. */
const FIRST = ["Steps", "Sampler", "CFG scale", "Seed", "Size"];

/** A recipe in that form. What a reader cannot be told in it is left to the JSON. */
export function parametersText(recipe: Recipe, table: SettingsTable = SETTINGS): string {
  const { transformer, textEncoder, clipModel, vae } = recipe.models;
  const { Prompt: prompt = "", "Negative prompt": unwanted = "", ...settings } = toInfotext(
    recipe,
    table,
  );
  const { adapters = [] } = recipe;
  const names = Object.keys(settings);
  const pick = (names: readonly string[]) => names.map((name) => [name, settings[name]!] as const);
  const parameters = [
    ...pick(FIRST.filter((name) => names.includes(name))),
    ...named("Model", transformer),
    ...named("VAE", vae),
    ...named("Text encoder", textEncoder),
    ...(clipModel === undefined ? [] : named("CLIP", clipModel)),
    ...pick(names.filter((name) => !FIRST.includes(name))),
    ...(adapters.length === 0 ? [] : [[LORA_HASHES, hashesOf(adapters)] as const]),
    // As the web UI's extension for dynamic prompts writes it.
    ...(recipe.template === undefined ? [] : [["Template", recipe.template] as const]),
    ...(recipe.preset === undefined ? [] : [["Preset", recipe.preset] as const]),
    ...(recipe.grid === undefined ? [] : [["Grid", recipe.grid] as const]),
    // Not a bare number, which readers take for a version of the web UI.
    ["Version", `NewBie toolkit ${recipe.versions.toolkit}`] as const,
  ];
  const last = parameters.map(([name, value]) => `${name}: ${quoted(value)}`);
  const negative = unwanted === "" ? [] : [`${NEGATIVE_PROMPT} ${plain(unwanted)}`];
  // The web UI keeps adapters in the prompt.
  const whole = [prompt, ...adapters.map(tagOf)].filter((part) => part !== "").join(" ");
  return [plain(whole), ...negative, plain(last.join(", "))].join("\n").trim();
}

/** `style: 0123456789, rin: 9876543210`. */
function hashesOf(adapters: readonly RecipeAdapter[]): string {
  return adapters.map(({ name, sha256 }) => `${name}: ${sha256.slice(0, SHORT_HASH_DIGITS)}`)
    .join(", ");
}

/** `<lora:style:0.8>`; of two weights, the text encoders' stands first. */
function tagOf({ name, weight, textWeight }: RecipeAdapter): string {
  const weights = textWeight === undefined ? [weight] : [textWeight, weight];
  return `<lora:${[name, ...weights].join(":")}>`;
}

function named(part: string, { name, sha256 }: RecipeModel): (readonly [string, string])[] {
  return [[`${part} hash`, sha256.slice(0, SHORT_HASH_DIGITS)], [part, name]];
}

/** PNG's texts have LF as their only end of line, and no U+0000. */
function plain(text: string): string {
  return text.replaceAll(/\r\n?/g, "\n").replaceAll("\0", "\ufffd");
}

/** As a JSON string where it would be taken for something else. */
function quoted(value: string): string {
  return /[,:\r\n"]|^\s|\s$|^$/.test(value) ? JSON.stringify(value) : value;
}
