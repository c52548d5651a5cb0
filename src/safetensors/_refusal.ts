import { headed, type Message } from "../errors.ts";
import { inBoth } from "../language.ts";
import { type Catalogue, TEXTS } from "./_texts.ts";
import type { WeightsErrorPlace } from "../weights_error.ts";
import { SafetensorsError } from "./safetensors_error.ts";

/** The error that says what is wrong with a file, an index or a folder. */
export function refusal(
  file: string,
  problem: (text: Catalogue) => Message,
  place: Omit<WeightsErrorPlace, "file"> = {},
): SafetensorsError {
  const { en, zh } = inBoth(TEXTS, problem);
  const message = { en: headed(`${file}: `, en), zh: headed(`${file}：`, zh) };
  return new SafetensorsError(message, { file, ...place });
}
