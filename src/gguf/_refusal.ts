import { headed } from "../errors.ts";
import { inBoth } from "../language.ts";
import { type Say, TEXTS } from "./_texts.ts";
import type { WeightsErrorPlace } from "../weights_error.ts";
import { GgufError } from "./gguf_error.ts";

/** The error that says what is wrong with a file. */
export function refusal(
  file: string,
  problem: Say,
  place: Omit<WeightsErrorPlace, "file"> = {},
): GgufError {
  const { en, zh } = inBoth(TEXTS, problem);
  const message = { en: headed(`${file}: `, en), zh: headed(`${file}：`, zh) };
  return new GgufError(message, { file, ...place });
}
