import { readPictureText } from "../image/mod.ts";

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

const NEGATIVE = /\nNegative prompt: /;

/** `Steps: 30, Sampler: Euler, Size: 256x256`, the last line of a text of parameters. */
function parametersOf(info: string): Record<string, string> {
  const lines = info.trimEnd().split("\n");
  const last = lines.at(-1)!;
  const isSettings = /^Steps: \d/.test(last);
  const texts = (isSettings ? lines.slice(0, -1) : lines).join("\n");
  const [prompt = "", negative = ""] = texts.split(NEGATIVE);
  const found: Record<string, string> = { "Prompt": prompt, "Negative prompt": negative };
  if (!isSettings) return found;
  for (
    const [, name, quoted, plain] of last.matchAll(/([^:,]+): (?:("(?:\\.|[^"\\])*")|([^,]*))/g)
  ) {
    found[name!.trim()] = quoted === undefined ? plain!.trim() : unquoted(quoted);
  }
  const [, width, height] = /^(\d+)x(\d+)$/.exec(found["Size"] ?? "") ?? [];
  return width === undefined ? found : { ...found, "Size-1": width, "Size-2": height! };
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
