/**
 * Reads the text `parameters` that AUTOMATIC1111's web UI began: the prompt, a line
 * `Negative prompt: …`, and a last line of `name: value` with commas between.
 *
 * Form: `parse_generation_parameters` in modules/infotext_utils.py of
 * AUTOMATIC1111/stable-diffusion-webui. That reader is a regular expression which takes quadratic
 * time of a long word; this one goes once through the text.
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

const NEGATIVE_PROMPT = "Negative prompt:";

/** With fewer, the last line is part of the prompt. */
const FEWEST_PARAMETERS = 3;

/** A name has two characters at least, and so few at most. */
const LONGEST_NAME = 100;

/** A name and its value. */
type Parameter = readonly [name: string, value: string];

/** What a text in that form says. */
interface Parameters {
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly others: readonly Parameter[];
}

/** Takes the text apart. */
function readParameters(text: string): Parameters {
  const lines = text.trim().split("\n").map((line) => line.trim());
  const found = parametersOf(lines.at(-1)!);
  const hasParameters = found.length >= FEWEST_PARAMETERS;
  const prompts = hasParameters ? lines.slice(0, -1) : lines;
  const place = prompts.findIndex((line) => line.startsWith(NEGATIVE_PROMPT));
  const end = place < 0 ? prompts.length : place;
  return {
    prompt: prompts.slice(0, end).join("\n"),
    negativePrompt: prompts.slice(end).join("\n").slice(NEGATIVE_PROMPT.length).trim(),
    others: hasParameters ? found : [],
  };
}

/** The parameters of a line. A comma ends a value, but not in quotes or in JSON's brackets. */
function parametersOf(line: string): Parameter[] {
  const found: Parameter[] = [];
  // What is opened and never closed is looked for once: the rest of the line has commas alone.
  let canNest = true;
  let at = 0;
  for (let colon = line.indexOf(":"); colon >= 0; colon = line.indexOf(":", at)) {
    const name = nameBefore(line, at, colon);
    at = colon + 1;
    if (name === undefined) continue;
    while (line[at] === " ") at++;
    const nested: number | undefined = canNest ? nestedEnd(line, at) : undefined;
    canNest &&= nested !== undefined;
    const comma = line.indexOf(",", at);
    const end = nested ?? (comma < 0 ? line.length : comma);
    found.push([name, unquoted(line.slice(at, end).trimEnd())]);
    at = end + 1;
  }
  return found;
}

/** The letters, digits, spaces, `-`, `_` and `/` in front of a colon. */
function nameBefore(line: string, from: number, colon: number): string | undefined {
  let start = colon;
  const first = Math.max(from, colon - LONGEST_NAME);
  while (start > first && /[\p{L}\p{N}_ /-]/u.test(line[start - 1]!)) start--;
  const name = line.slice(start, colon).replace(/^[ /-]+/, "");
  return name.length >= 2 ? name : undefined;
}

const CLOSINGS: Readonly<Record<string, string>> = { "{": "}", "[": "]" };

/**
 * Where the value that begins at a place ends, by its quotes and brackets; undefined when one of them
 * is never closed.
 */
function nestedEnd(line: string, start: number): number | undefined {
  const open: string[] = [];
  let isQuoted = false;
  for (let at = start; at < line.length; at++) {
    const character = line[at]!;
    if (isQuoted) {
      if (character === "\\") at++;
      else if (character === '"') isQuoted = false;
    } else if (character === '"' && (at === start || open.length > 0)) isQuoted = true;
    else if (Object.hasOwn(CLOSINGS, character) && (at === start || open.length > 0)) {
      open.push(CLOSINGS[character]!);
    } else if (character === open.at(-1)) open.pop();
    else if (character === "," && open.length === 0) return at;
  }
  return isQuoted || open.length > 0 ? undefined : line.length;
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}

/** What says nothing of how to make a picture. */
const SILENT: ReadonlySet<string> = new Set([
  "Version",
  "Model hash",
  "VAE hash",
  "Hashes",
  "RNG",
  "Hires resize",
]);

/** What the web UI, its forks, and everything that writes the same, say of a picture. */
export function fromParameters(text: string, table: SettingsTable): ForeignRecipe {
  const draft = new ForeignDraft("AUTOMATIC1111", table);
  const { prompt, negativePrompt, others } = readParameters(text);
  draft.prompt(prompt);
  draft.negativePrompt(negativePrompt);
  const told = new Map(others.filter(([name]) => !PROMPTS.has(name)).flatMap(withSchedule));
  const { settings, unknown } = fromInfotext(Object.fromEntries(told), table);
  draft.take(withHires(settings as AskedSettings, told));
  // `style: 0123456789, rin: 9876543210`; the weights stand in the prompt.
  for (const pair of (told.get(LORA_HASHES) ?? "").split(",")) {
    const [, name, hash] = /^\s*(.{1,200}):\s*([0-9a-f]{8,64})\s*$/i.exec(pair) ?? [];
    draft.lora(name, undefined, undefined, hash?.toLowerCase());
  }
  const known = new Set(leavesOf(table).map(({ setting }) => setting.infotext.name));
  for (const [name, value] of told) {
    if (name === SCHEDULE) draft.schedule(name, value);
    else if (!SILENT.has(name) && (!known.has(name) || unknown.includes(name))) {
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
