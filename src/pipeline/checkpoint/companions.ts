import { join } from "node:path";
import { PART_NAMES, type PartName } from "../../families/mod.ts";
import { kindOf } from "./_part_files.ts";
import type { CheckpointFiles, TokenizerPlace } from "./types.ts";

/** What decides a picture besides the weights, of one part; a tokenizer inside them is among them. */
export interface Companions {
  readonly config?: string;
  /** tokenizer.json, and tokenizer_config.json where it is there. */
  readonly tokenizer?: readonly string[];
}

/** What the tokenizer loader reads. */
const TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json"];

/** The files beside each part's weights that decide how a picture comes out. */
export async function companionsOf(
  files: CheckpointFiles,
): Promise<Partial<Readonly<Record<PartName, Companions>>>> {
  const companions: Partial<Record<PartName, Companions>> = {};
  for (const name of PART_NAMES) {
    const part = files[name];
    if (part === undefined) continue;
    const place = name === "textEncoder"
      ? files.tokenizer
      : name === "clipModel"
      ? files.clipTokenizer
      : undefined;
    const tokenizer = await tokenizerFiles(place);
    companions[name] = {
      ...(part.config === undefined ? {} : { config: part.config }),
      ...(tokenizer.length === 0 ? {} : { tokenizer }),
    };
  }
  return companions;
}

async function tokenizerFiles(place: TokenizerPlace | undefined): Promise<string[]> {
  if (typeof place !== "string") return [];
  if (await kindOf(place) !== "folder") return [place];
  const there: string[] = [];
  for (const name of TOKENIZER_FILES) {
    const path = join(place, name);
    if (await kindOf(path) === "file") there.push(path);
  }
  return there;
}
