import { basename, dirname, join, resolve } from "node:path";
import { PART_NAMES } from "../../families/mod.ts";
import type { Language } from "../../language.ts";
import { TEXTS } from "./_texts.ts";
import type { CheckpointFiles } from "./types.ts";

/** One line for people: which layout, where. */
export function describeCheckpoint(
  files: CheckpointFiles,
  folder: string,
  language: Language = "en",
): string {
  const text = TEXTS[language];
  const demo = dirname(files.transformer.weights);
  const slots = files.family.slots.demo;
  // With other parts than its own, it is said which.
  const isAllOwn = PART_NAMES.every((part) => {
    return files[part]?.weights === join(demo, slots?.[part] ?? "");
  });
  if (files.isDemo && isAllOwn) {
    return resolve(demo) === resolve(folder)
      ? text.demo(demo)
      : text.demoInstead(demo, dirname(demo));
  }
  const parts = PART_NAMES.flatMap((part) => files[part] ?? []);
  return text.found(files.layout, folder, parts.map(({ weights }) => basename(weights)));
}
