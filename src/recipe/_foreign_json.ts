/**
 * The programs that write one flat JSON object: NovelAI, InvokeAI, SwarmUI and Fooocus.
 *
 * Forms, as their own pictures show them: NovelAI's text `Comment`; InvokeAI's `invokeai_metadata`
 * (since version 3) and `sd-metadata` (version 2); SwarmUI's `parameters` with `sui_image_params`;
 * Fooocus's `parameters` in its own scheme.
 *
 * @module
 */
import { ForeignDraft, isObject, type JsonObject } from "./_foreign_draft.ts";
import type { ForeignRecipe } from "./foreign_recipe.ts";

/** Notes everything that has not been used. */
function leaveRest(draft: ForeignDraft, json: JsonObject, used: readonly string[]): void {
  for (const [name, value] of Object.entries(json)) {
    if (!used.includes(name)) draft.leave(name, value);
  }
}

/** NovelAI's: what it asked its model for. */
export function fromNovelAi(json: JsonObject, description: string | undefined): ForeignRecipe {
  const draft = new ForeignDraft("NovelAI");
  draft.prompt(captionOf(draft, json["v4_prompt"], "characters' places"));
  draft.prompt(json["prompt"]);
  draft.prompt(description);
  draft.negativePrompt(captionOf(draft, json["v4_negative_prompt"], undefined));
  draft.negativePrompt(json["uc"]);
  draft.seed("seed", json["seed"]);
  draft.steps("steps", json["steps"]);
  draft.guidance("scale", json["scale"]);
  draft.size("size", json["width"], json["height"]);
  draft.sampler("sampler", json["sampler"]);
  draft.schedule("noise_schedule", json["noise_schedule"] ?? "");
  // What is drawn into a mask has a strength of its own since version 4.
  const isInfilled = /infill/i.test(String(json["request_type"] ?? ""));
  const inMask = json["inpaintImg2ImgStrength"];
  draft.strength("strength", isInfilled && inMask !== undefined ? inMask : json["strength"]);
  for (const name of NOVELAI_TELLING) {
    const value = json[name];
    if (value !== 0 && value !== false && value !== 1) draft.leave(name, value);
  }
  return draft.recipe();
}

/** Of the three dozen others, those that change a picture, where they are not at rest. */
const NOVELAI_TELLING = [
  "cfg_rescale",
  "sm",
  "sm_dyn",
  "dynamic_thresholding",
  "skip_cfg_above_sigma",
  "noise",
  "reference_strength",
  "reference_strength_multiple",
  "director_reference_strengths",
];

/** The picture's caption, and below it one for each character. */
function captionOf(
  draft: ForeignDraft,
  prompt: unknown,
  places: string | undefined,
): string | undefined {
  const caption = isObject(prompt) ? prompt["caption"] : undefined;
  if (!isObject(caption)) return undefined;
  const characters = caption["char_captions"];
  const list = Array.isArray(characters) ? characters.filter(isObject) : [];
  if (places !== undefined) {
    const centers = list.map(({ centers }) => centers);
    if (isObject(prompt) && prompt["use_coords"] === true) draft.leave(places, centers);
  }
  return [caption["base_caption"], ...list.map(({ char_caption }) => char_caption)]
    .filter((text) => typeof text === "string" && text.trim() !== "").join("\n");
}

/** InvokeAI's since version 3. */
export function fromInvokeAi(json: JsonObject): ForeignRecipe {
  const draft = new ForeignDraft("InvokeAI");
  draft.prompt(json["positive_prompt"]);
  draft.negativePrompt(json["negative_prompt"]);
  draft.seed("seed", json["seed"]);
  draft.steps("steps", json["steps"]);
  draft.guidance("cfg_scale", json["cfg_scale"] ?? json["guidance"]);
  draft.size("size", json["width"], json["height"]);
  addInvokeSampler(draft, "scheduler", json["scheduler"]);
  const model = json["model"];
  draft.leave("model", isObject(model) ? model["name"] ?? model["model_name"] ?? model : model);
  const styles = [json["positive_style_prompt"], json["negative_style_prompt"]];
  draft.leave("positive_style_prompt", styles[0] === json["positive_prompt"] ? "" : styles[0]);
  draft.leave("negative_style_prompt", styles[1] === json["negative_prompt"] ? "" : styles[1]);
  const loras: readonly unknown[] = Array.isArray(json["loras"]) ? json["loras"] : [];
  draft.leave(
    "loras",
    loras.filter((lora) => {
      if (!isObject(lora)) return true;
      const model = lora["model"] ?? lora["lora"];
      const name = isObject(model)
        ? model["name"] ?? model["model_name"] ?? model["key"]
        : undefined;
      return !draft.lora(name, lora["weight"]);
    }),
  );
  draft.strength("strength", json["strength"]);
  for (const name of INVOKE_TELLING) {
    const value = json[name];
    if (value !== 0 && value !== false) draft.leave(name, value);
  }
  return draft.recipe();
}

/** Of the others, those that change a picture, where they are not at rest. */
const INVOKE_TELLING = [
  "controlnets",
  "ipAdapters",
  "t2iAdapters",
  "ref_images",
  "vae",
  "clip_skip",
  "cfg_rescale_multiplier",
  "seamless_x",
  "seamless_y",
  "hrf_enabled",
];

/** Its samplers carry their schedule behind their name: `dpmpp_2m_k` is Karras's. */
function addInvokeSampler(draft: ForeignDraft, name: string, value: unknown): void {
  const karras = typeof value === "string" ? /^([a-z0-9_]{1,40})_k$/.exec(value)?.[1] : undefined;
  draft.sampler(name, karras ?? value);
  if (karras !== undefined) draft.schedule("schedule", "Karras");
}

/** InvokeAI's of version 2: what is in square brackets is the negative prompt. */
export function fromOldInvokeAi(json: JsonObject): ForeignRecipe {
  const draft = new ForeignDraft("InvokeAI");
  const image = isObject(json["image"]) ? json["image"] : json;
  const parts = image["prompt"];
  const whole = Array.isArray(parts)
    ? parts.filter(isObject).map(({ prompt }) => prompt).filter((part) => typeof part === "string")
      .join(", ")
    : typeof parts === "string"
    ? parts
    : "";
  const [positive, negative] = withoutBrackets(whole);
  draft.prompt(positive);
  draft.negativePrompt(negative);
  draft.seed("seed", image["seed"]);
  draft.steps("steps", image["steps"]);
  draft.guidance("cfg_scale", image["cfg_scale"]);
  draft.size("size", image["width"], image["height"]);
  draft.sampler("sampler", image["sampler"]);
  draft.leave("model", json["model_weights"] ?? json["model"]);
  draft.strength("strength", image["strength"]);
  for (const name of ["variations", "postprocessing"]) draft.leave(name, image[name]);
  return draft.recipe();
}

/** A text without what stands in square brackets, and that. */
function withoutBrackets(text: string): [outside: string, inside: string] {
  const outside: string[] = [];
  const inside: string[] = [];
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf("[", at);
    const close = open < 0 ? -1 : text.indexOf("]", open);
    if (close < 0) break;
    outside.push(text.slice(at, open));
    inside.push(text.slice(open + 1, close).trim());
    at = close + 1;
  }
  outside.push(text.slice(at));
  return [outside.join("").trim(), inside.join(", ")];
}

/** SwarmUI's. */
export function fromSwarmUi(json: JsonObject): ForeignRecipe {
  const draft = new ForeignDraft("SwarmUI");
  const used = ["prompt", "negativeprompt", "seed", "steps", "cfgscale", "width", "height"];
  draft.prompt(json["prompt"]);
  draft.negativePrompt(json["negativeprompt"]);
  draft.seed("seed", json["seed"]);
  draft.steps("steps", json["steps"]);
  draft.guidance("cfgscale", json["cfgscale"]);
  if (json["width"] !== undefined) draft.size("size", json["width"], json["height"]);
  if (json["sampler"] !== undefined) draft.sampler("sampler", json["sampler"]);
  draft.schedule("scheduler", json["scheduler"] ?? "");
  draft.strength("initimagecreativity", json["initimagecreativity"]);
  draft.maskBlur("maskblur", json["maskblur"]);
  const listOf = (value: unknown) =>
    Array.isArray(value) ? value : typeof value === "string" ? value.split(",") : [];
  const weights = listOf(json["loraweights"]);
  const unread = listOf(json["loras"]).filter((name, index) =>
    !draft.lora(name, Number(weights[index] ?? 1))
  );
  draft.leave("loras", unread);
  const silent = ["swarm_version", "date", "generation_time", "original_prompt", "nopreviews"];
  const fromPicture = ["initimagecreativity", "maskblur"];
  leaveRest(draft, json, [
    ...used,
    ...silent,
    ...fromPicture,
    "sampler",
    "scheduler",
    "loras",
    "loraweights",
    // Beside the sides it says nothing.
    ...(json["width"] === undefined ? [] : ["aspectratio"]),
  ]);
  return draft.recipe();
}

/** Fooocus's. */
export function fromFooocus(json: JsonObject): ForeignRecipe {
  const draft = new ForeignDraft("Fooocus");
  draft.prompt(json["prompt"]);
  draft.negativePrompt(json["negative_prompt"]);
  draft.seed("seed", json["seed"]);
  draft.steps("steps", json["steps"]);
  draft.guidance("guidance_scale", json["guidance_scale"]);
  const sides = String(json["resolution"] ?? "").match(/\d{1,6}/g) ?? [];
  if (json["resolution"] !== undefined) draft.size("resolution", sides[0], sides[1]);
  draft.sampler("sampler", json["sampler"]);
  draft.schedule("scheduler", json["scheduler"] ?? "");
  const loras: readonly unknown[] = Array.isArray(json["loras"]) ? json["loras"] : [];
  draft.leave(
    "loras",
    loras.filter((lora) => !Array.isArray(lora) || !draft.lora(lora[0], lora[1])),
  );
  // Its former scheme has them one by one, `name : 0.5`.
  for (const [name, value] of loras.length > 0 ? [] : Object.entries(json)) {
    if (!/^lora_combined_\d{1,3}$/.test(name)) continue;
    const [, file, weight] = /^(.{1,200}) : (-?\d{1,4}(?:\.\d{1,20})?)$/.exec(String(value)) ?? [];
    if (!draft.lora(file, Number(weight))) draft.leave(name, value);
  }
  for (const name of ["base_model", "refiner_model", "styles", "performance"]) {
    const value = json[name];
    if (value !== "None") draft.leave(name, value);
  }
  return draft.recipe();
}
