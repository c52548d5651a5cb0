import { isObject, parseJson } from "./_foreign_draft.ts";
import { fromComfyUi } from "./_foreign_comfyui.ts";
import {
  fromFooocus,
  fromInvokeAi,
  fromNovelAi,
  fromOldInvokeAi,
  fromSwarmUi,
} from "./_foreign_json.ts";
import { SETTINGS, type SettingsTable } from "../settings/mod.ts";
import { fromParameters } from "./_foreign_parameters.ts";
import type { ForeignRecipe } from "./foreign_recipe.ts";

/** The texts of a picture by their keywords. */
export type PictureTexts = Readonly<Record<string, string>>;

/**
 * What another program wrote into a picture: AUTOMATIC1111's web UI and its forks, ComfyUI, NovelAI,
 * InvokeAI, SwarmUI and Fooocus, in PNG's texts or in EXIF and XMP.
 *
 * It reads in time proportional to the texts, and throws nothing: what is damaged says nothing.
 *
 * @param text What `readPictureText` gives.
 * @param table The settings that parameters may name.
 * @returns Undefined when none of them wrote anything that is understood.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const parameters = "1girl\nSteps: 28, Sampler: Euler a, CFG scale: 5, Seed: 7, Size: 832x1216";
 * const { settings, left } = readForeignRecipe({ parameters })!;
 * assert.deepEqual([settings.prompt, settings.width], ["1girl", 832]);
 * assert.deepEqual(left, [{ name: "Sampler", value: "Euler a" }]);
 * ```
 */
export function readForeignRecipe(
  text: PictureTexts,
  table: SettingsTable = SETTINGS,
): ForeignRecipe | undefined {
  const candidates = [novelAi, invokeAi, comfyUi, parameters].map((read) => read(text, table))
    .filter((recipe) => recipe !== undefined);
  return candidates.find(({ settings }) => settings.prompt !== undefined) ?? candidates[0];
}

/** Where EXIF and XMP have a picture's notes. */
const COMMENTS = ["exif:UserComment", "xmp:exif:UserComment"];
const DESCRIPTIONS = [
  ...COMMENTS,
  "exif:XPComment",
  "exif:ImageDescription",
  "xmp:dc:description",
  "xmp:tiff:ImageDescription",
];

function objectIn(text: string | undefined) {
  const json = text?.trimStart().startsWith("{") ? parseJson(text) : undefined;
  return isObject(json) ? json : undefined;
}

function novelAi(text: PictureTexts): ForeignRecipe | undefined {
  const comment = objectIn(text["Comment"]);
  const isNovelAi = /NovelAI/i.test(text["Software"] ?? "") || "uc" in (comment ?? {});
  if (comment !== undefined && isNovelAi) return fromNovelAi(comment, text["Description"]);
  // In EXIF, all of PNG's texts are one object.
  for (const keyword of DESCRIPTIONS) {
    const all = objectIn(text[keyword]);
    const inner = all?.["Comment"];
    const json = typeof inner === "string" ? objectIn(inner) : inner;
    if (!isObject(json)) continue;
    const description = all!["Description"];
    return fromNovelAi(json, typeof description === "string" ? description : undefined);
  }
  return undefined;
}

function invokeAi(text: PictureTexts): ForeignRecipe | undefined {
  const json = objectIn(text["invokeai_metadata"]);
  if (json !== undefined) return fromInvokeAi(json);
  const old = objectIn(text["sd-metadata"]);
  return old === undefined ? undefined : fromOldInvokeAi(old);
}

function comfyUi(text: PictureTexts): ForeignRecipe | undefined {
  // In EXIF each graph has its keyword before it, whatever the tag.
  const inExif = (keyword: string) =>
    Object.entries(text).find(([name, value]) =>
      name.startsWith("exif:") && value.toLowerCase().startsWith(`${keyword}:`)
    )?.[1].slice(keyword.length + 1);
  const [prompt, workflow] = ["prompt", "workflow"].map((keyword) =>
    objectIn(text[keyword] ?? inExif(keyword))
  );
  return prompt === undefined && workflow === undefined ? undefined : fromComfyUi(prompt, workflow);
}

/** Whether a text that any program may write holds JSON or parameters. */
const isWritten = (value: string | undefined): boolean =>
  objectIn(value) !== undefined || /(?:^|\n)(?:Steps|Negative prompt): /.test(value ?? "");

function parameters(text: PictureTexts, table: SettingsTable): ForeignRecipe | undefined {
  // Cameras and screenshots have comments, too.
  const written = [
    text["parameters"],
    ...COMMENTS.map((keyword) => text[keyword]).filter(isWritten),
  ]
    .find((value) => value !== undefined && value.trim() !== "");
  const json = objectIn(written);
  if (json !== undefined) {
    const swarm = json["sui_image_params"];
    if (isObject(swarm)) return fromSwarmUi(swarm);
    if ("prompt" in json) return fromFooocus(json);
    return undefined;
  }
  if (written !== undefined) return fromParameters(written, table);
  // Any program may write a description, so it is read only if it looks like parameters.
  const described = DESCRIPTIONS.map((keyword) => text[keyword]).find(isWritten);
  return described === undefined ? undefined : fromParameters(described, table);
}
