/** Lines of a batch. */
import { parseBatchLine } from "../../../src/studio/request.ts";
import { type Json, jsonText, mutateJson } from "./mutate.ts";
import type { FuzzCase } from "./types.ts";

const LINES: readonly Json[] = [
  { prompt: "1girl", seed: 7, steps: 20, width: 256, height: 192, output: "miku.png" },
  { prompt_file: "a.xml", negative: "blurry", guidance: 3.5, sampler: "euler", seed: "123" },
];

/** Each has to be a request, or a line that is told to be none. */
export function batchLines(): FuzzCase {
  return (dice) => void parseBatchLine(jsonText(mutateJson(dice.pick(LINES), dice), dice));
}
