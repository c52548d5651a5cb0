import { headed } from "../errors.ts";
import { inBoth } from "../language.ts";
import { type Say, TEXTS } from "./_texts.ts";
import { GgufError, type GgufErrorPlace } from "./gguf_error.ts";

/** The error that says what is wrong with a file. */
export function refusal(
  file: string,
  problem: Say,
  place: Omit<GgufErrorPlace, "file"> = {},
): GgufError {
  const { en, zh } = inBoth(TEXTS, problem);
  const message = { en: headed(`${file}: `, en), zh: headed(`${file}：`, zh) };
  return new GgufError(message, { file, ...place });
}
