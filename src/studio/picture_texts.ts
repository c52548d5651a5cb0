import { readPictureText } from "../image/mod.ts";
import { readParameters } from "../recipe/mod.ts";

/** The texts of a picture, as programs around AUTOMATIC1111's web UI know them. */
export interface PictureTexts {
  /** Its parameters; empty where there are none. */
  readonly info: string;
  /** All of its texts by keyword. */
  readonly items: Readonly<Record<string, string>>;
  /** What stands in the parameters by name, the prompts too. */
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * Reads a picture's texts.
 *
 * @throws {ImageError} When the bytes are no picture.
 */
export function readPictureTexts(bytes: Uint8Array): PictureTexts {
  const { text } = readPictureText(bytes);
  const info = text["parameters"] ?? text["exif:UserComment"] ?? "";
  return { info, items: text, parameters: info === "" ? {} : parametersOf(info) };
}

/** The list below the prompts by its names, with the prompts and the size's two sides. */
function parametersOf(info: string): Record<string, string> {
  const { prompt, negativePrompt, others } = readParameters(info);
  const found = Object.fromEntries([
    ["Prompt", prompt],
    ["Negative prompt", negativePrompt],
    ...others,
  ]);
  const [, width, height] = /^(\d+)x(\d+)$/.exec(found["Size"] ?? "") ?? [];
  return width === undefined ? found : { ...found, "Size-1": width, "Size-2": height! };
}
