import { inBoth } from "../language.ts";
import { type Say, TEXTS } from "./_texts.ts";
import { SafetensorsError } from "./safetensors_error.ts";
import type { SafetensorsErrorPlace } from "./types.ts";

/** The error that says what is wrong with a file, an index or a folder. */
export function refusal(
  file: string,
  problem: Say,
  place: Omit<SafetensorsErrorPlace, "file" | "zh"> = {},
): SafetensorsError {
  const { en, zh } = inBoth(TEXTS, problem);
  return new SafetensorsError(`${file}: ${en}`, { file, zh: `${file}：${zh}`, ...place });
}
