/** Presets that are on, and what a preset keeps. */
import type { Draft } from "./store.ts";
import type { Value, Words } from "./types.ts";

/** The word of a request that names presets. */
export const PRESET_WORD = "preset";
/** What belongs to one picture, not to a way of drawing. */
const OF_ONE_PICTURE: readonly string[] = [
  PRESET_WORD,
  "grid",
  "seed",
  "image",
  "mask",
  "expand",
  "alpha_mask",
  "variation_seed",
];
/** No name has it: presets are files. */
const BETWEEN = "/";

/** The names of the presets that are on, in the order in which they were. */
export function activePresets(values: Draft["values"]): readonly string[] {
  const names = values[PRESET_WORD];
  return typeof names === "string" ? names.split(BETWEEN).filter((name) => name !== "") : [];
}

/** How a draft remembers the presets that are on. */
export function rememberedPresets(names: readonly string[]): Value | undefined {
  return names.length === 0 ? undefined : names.join(BETWEEN);
}

/** What a request says of a draft's presets. */
export function presetWords(values: Draft["values"]): Words {
  const names = activePresets(values);
  return names.length === 0 ? {} : { [PRESET_WORD]: names };
}

/** What a preset of a draft keeps: its settings, the negative prompt, and words behind the prompt. */
export function presetOf({ values, negative }: Draft, suffix: string): Words {
  const settings = Object.fromEntries(
    Object.entries(values).filter(([word]) => !OF_ONE_PICTURE.includes(word)),
  );
  return {
    ...settings,
    ...(negative.trim() === "" ? {} : { negative_prompt: negative }),
    ...(suffix.trim() === "" ? {} : { suffix: suffix.trim() }),
  };
}
