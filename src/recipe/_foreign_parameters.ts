/**
 * What AUTOMATIC1111's web UI, its forks, and everything that writes the same, say of a picture.
 *
 * @module
 */
import {
  type AskedSettings,
  fromInfotext,
  fromJson,
  leavesOf,
  SETTINGS,
  type SettingsTable,
} from "../settings/mod.ts";
import { ForeignDraft } from "./_foreign_draft.ts";
import { LORA_HASHES } from "./_parameters.ts";
import type { ForeignRecipe } from "./foreign_recipe.ts";
import { type Parameter, readParameters } from "./read_parameters.ts";

/** What says nothing of how to make a picture. */
const SILENT: ReadonlySet<string> = new Set([
  "Version",
  "Model hash",
  "VAE hash",
  "Hashes",
  "RNG",
  "Hires resize",
]);

/** Settings of such a text, and what of it is left. */
export function fromParameters(text: string, table: SettingsTable): ForeignRecipe {
  const draft = new ForeignDraft("AUTOMATIC1111", table);
  const { prompt, negativePrompt, others } = readParameters(text);
  draft.prompt(prompt);
  draft.negativePrompt(negativePrompt);
  const told = new Map(others.filter(([name]) => !PROMPTS.has(name)).flatMap(withSchedule));
  const { settings, unknown } = fromInfotext(Object.fromEntries(told), table);
  draft.take(withHires(settings as AskedSettings, told));
  // `style: 0123456789, rin: 9876543210`; the weights stand in the prompt, or Fooocus' beside them.
  const weights = new Map(
    (told.get(LORA_WEIGHTS) ?? "").split(",").flatMap((pair) => {
      const [, name, weight] = /^\s*(.{1,200}):\s*(-?\d{1,4}(?:\.\d{1,20})?)\s*$/.exec(pair) ?? [];
      return name === undefined ? [] : [[name, Number(weight)] as const];
    }),
  );
  const unread = (told.get(LORA_HASHES) ?? "").split(",").filter((pair) => {
    const [, name, hash] = /^\s*(.{1,200}):\s*([0-9a-f]{8,64})\s*$/i.exec(pair) ?? [];
    return !draft.lora(name, weights.get(name ?? ""), undefined, hash?.toLowerCase());
  });
  draft.leave(LORA_HASHES, unread.join(",").trim());
  const known = new Set(leavesOf(table).map(({ setting }) => setting.infotext.name));
  for (const [name, value] of told) {
    if (name === SCHEDULE) draft.schedule(name, value);
    else if (
      !SILENT.has(name) && !OF_LORAS.has(name) && (!known.has(name) || unknown.includes(name))
    ) {
      draft.leave(name, value);
    }
  }
  return draft.recipe();
}

/** The web UI's upscalers that need no network, by the beginnings of their names. */
const UPSCALERS: readonly (readonly [RegExp, string])[] = [
  [/^Latent/, "latent"],
  [/^(?:None|Lanczos)$/, "lanczos"],
];

/**
 * The second drawing as it is here: the web UI has one name for the strength of that and of drawing from
 * a picture, and may state its size instead of how many times as large it is.
 */
function withHires(
  settings: AskedSettings,
  told: ReadonlyMap<string, string>,
): AskedSettings {
  const { hires = {}, width } = settings;
  const [, across] = /^(\d{1,6})x\d{1,6}$/.exec(told.get(HIRES_SIZE) ?? "") ?? [];
  const stated = across === undefined || width === undefined ? undefined : Number(across) / width;
  const scale = hires.scale ?? fromJson(SETTINGS.hires.scale.kind, stated);
  if (scale === undefined) return settings;
  const { upscaler } = hires;
  const own = upscaler === undefined
    ? undefined
    : UPSCALERS.find(([name]) => name.test(upscaler))?.[1] ?? upscaler;
  const enlarged = { ...hires, scale, ...(own === undefined ? {} : { upscaler: own }) };
  // This toolkit's own text has a name for each.
  const { strength, ...others } = settings;
  return strength === undefined || hires.strength !== undefined
    ? { ...settings, hires: enlarged }
    : { ...others, hires: { ...enlarged, strength } };
}

const LORA_WEIGHTS = "Lora weights";
const OF_LORAS: ReadonlySet<string> = new Set([LORA_HASHES, LORA_WEIGHTS]);
const HIRES_SIZE = "Hires resize";
const SCHEDULE = "Schedule type";
/** They stand above the list. */
const PROMPTS: ReadonlySet<string> = new Set(["Prompt", "Negative prompt"]);

/** Older versions name the schedule behind the sampler: `DPM++ 2M Karras`. */
function withSchedule([name, value]: Parameter): Parameter[] {
  const [, sampler, schedule] = name === "Sampler"
    ? /^(.{1,60}) (Karras|Exponential|Polyexponential)$/.exec(value) ?? []
    : [];
  return schedule === undefined ? [[name, value]] : [[name, sampler!], [SCHEDULE, schedule]];
}
