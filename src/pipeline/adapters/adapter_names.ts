/** What adapters are called: by their files, and as people type it. */
import { basename, dirname, resolve } from "node:path";
import { isNearName } from "../../prompt/mod.ts";

/** How an adapter's file ends. */
export const ADAPTER_ENDING = /\.(?:safetensors|sft)$/i;

/** What PEFT and diffusers call the only file of an adapter's folder. */
export const FOLDER_FILES: readonly string[] = [
  "adapter_model.safetensors",
  "pytorch_lora_weights.safetensors",
];

/** A file's name without its ending, or a folder's; what trainers call every file says nothing. */
export function adapterName(path: string): string {
  const file = basename(resolve(path));
  return FOLDER_FILES.includes(file.toLowerCase())
    ? basename(dirname(resolve(path)))
    : file.replace(ADAPTER_ENDING, "");
}

/** Names that a message lists, and that it suggests. */
const MOST_NAMED = 12;
const MOST_SUGGESTED = 3;
/** A name that is part of another has at least so many characters. */
const FEWEST_CHARACTERS = 2;

/** The names that are most like one that there is not. */
export function similarNames(name: string, names: readonly string[]): readonly string[] {
  const plain = (text: string) => text.normalize("NFKC").toLowerCase().replaceAll(/[\s_.-]+/g, "");
  const asked = plain(name);
  return names.filter((other) =>
    plain(other) === asked || isNearName(asked, plain(other)) ||
    asked.length >= FEWEST_CHARACTERS && plain(other).includes(asked)
  ).slice(0, MOST_SUGGESTED);
}

/** Names for a message, the first of them where there are many. */
export function listed(names: readonly string[], between: string): string {
  const shown = names.slice(0, MOST_NAMED).join(between);
  return names.length > MOST_NAMED ? `${shown} …` : shown;
}
