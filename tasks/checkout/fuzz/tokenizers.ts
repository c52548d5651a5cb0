/** Tokenizers that somebody else wrote. */
import { join } from "node:path";
import { loadTokenizer } from "../../../src/tokenizer/mod.ts";
import { type Json, jsonText, mutateJson } from "./mutate.ts";
import type { FuzzCase } from "./types.ts";

const FOLDERS = ["models/demo/transformer", "models/demo/clip_model"];
/** What makes a backtracking expression try for ever. */
const TEXTS = [
  "1girl, blue_hair, 初音ミク",
  "a".repeat(40) + "!",
  " ".repeat(2000) + "x",
  "aaaa,,,,".repeat(500),
];
const EXPRESSIONS = [
  "(a+)+$",
  "(a|a)*b",
  "(\\s*)*y",
  "^(([a-z])+.)+[A-Z]([a-z])+$",
  "(.*)*\\d$",
  "[",
];

/** Each has to be refused with its file named, or to give ids. */
export async function tokenizers(folder: string): Promise<FuzzCase> {
  const originals = await Promise.all(
    FOLDERS.map(async (place) =>
      JSON.parse(await Deno.readTextFile(join(place, "tokenizer.json"))) as Record<string, Json>
    ),
  );
  const file = join(folder, "tokenizer.json");
  return async (dice) => {
    const original = dice.pick(originals);
    // The vocabulary is most of the file, and the least of what can be wrong with it.
    const { model, ...stages } = original;
    let json: Json = dice.roll(3) === 0
      ? { ...stages, model: mutateJson(model!, dice) }
      : { ...mutateJson(stages, dice) as Record<string, Json>, model: model! };
    if (dice.roll(20) === 0) {
      const pattern = { Regex: dice.pick(EXPRESSIONS) };
      const stage: Json = dice.roll(2) === 0
        ? { pre_tokenizer: { type: "Split", pattern, behavior: "Isolated", invert: false } }
        : { normalizer: { type: "Replace", pattern, content: "" } };
      json = { ...original, ...stage };
    }
    await Deno.writeTextFile(file, jsonText(json, dice));
    const ids = (await loadTokenizer(file)).encode(dice.pick(TEXTS));
    if (ids.some((id) => !Number.isSafeInteger(id) || id < 0)) return "an id is no whole number";
  };
}
