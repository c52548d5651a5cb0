/**
 * The elements that the model was trained on, and which of them a misspelt one was meant to be.
 *
 * @module
 */
import { CHARACTER_ELEMENTS, GENERAL_ELEMENTS } from "./elements.ts";

const CHARACTER_NAMES: ReadonlySet<string> = new Set(CHARACTER_ELEMENTS);
const GENERAL_NAMES: ReadonlySet<string> = new Set(GENERAL_ELEMENTS);

/**
 * What holds the others: `img` and, from upstream's builders, `image` and `document` wrap a whole
 * prompt; `danbooru_tags` and `e621_tags` are used in negative prompts.
 */
const CONTAINERS: ReadonlySet<string> = new Set([
  "general_tags",
  "img",
  "image",
  "document",
  "danbooru_tags",
  "e621_tags",
]);

const CHARACTER = /^character_[1-9]\d*$/;

/** `<character_1>`, `<character_2>`… */
export const isCharacter = (name: string): boolean => CHARACTER.test(name);

/** Whether an element belongs into a character. */
export const isCharacterElement = (name: string): boolean =>
  CHARACTER_NAMES.has(name) && !GENERAL_NAMES.has(name);

/** The two elements that no plain text contains by chance. */
export const isMainElement = (name: string): boolean =>
  name === "general_tags" || isCharacter(name);

/** Whether an element holds other elements rather than tags. */
export const isContainer = (name: string): boolean => isCharacter(name) || CONTAINERS.has(name);

/** Whether the model was trained on an element of this name. */
export const isKnown = (name: string): boolean =>
  isCharacter(name) || CHARACTER_NAMES.has(name) || GENERAL_NAMES.has(name) ||
  CONTAINERS.has(name);

/** One of the model's elements in its own spelling, such as `general_tags` for `General-Tags`. */
export function knownSpelling(name: string): string | undefined {
  const plain = name.toLowerCase().replaceAll(/[-.]/g, "_");
  return isKnown(plain) ? plain : undefined;
}

/** All names but those of characters. */
export const KNOWN: readonly string[] = [...CHARACTER_ELEMENTS, ...GENERAL_ELEMENTS, ...CONTAINERS];

/** Names that people use for what has another name here. */
const ALIASES: Readonly<Record<string, string>> = {
  name: "n",
  names: "n",
  clothes: "clothing",
  outfit: "clothing",
  pose: "action",
  general: "general_tags",
  tags: "general_tags",
  description: "caption",
};

/** No known name is longer; what is much longer is no misspelling. */
const LONGEST_MISSPELLING = 24;
/** Names up to this length may have one mistake, longer ones two. */
const SHORT_NAME = 4;

/** The known name that an unknown one was probably meant to be. */
export function suggestionFor(name: string): string | undefined {
  if (isKnown(name) || name.length > LONGEST_MISSPELLING) return undefined;
  const known = knownSpelling(name);
  if (known !== undefined) return known;
  const plain = name.toLowerCase().replaceAll(/[-.]/g, "_");
  if (Object.hasOwn(ALIASES, plain)) return ALIASES[plain];
  const [, stem, number] = /^(.*?)_?0*([1-9]\d*)?$/.exec(plain)!;
  if (stem === "char" || near(stem!, "character")) return `character_${number ?? 1}`;
  return KNOWN.find((known) => near(plain, known));
}

/** Whether two names differ by a slip or two. */
export function near(name: string, known: string): boolean {
  if (known.length < SHORT_NAME || Math.abs(name.length - known.length) > 2) return false;
  if (name.length > LONGEST_MISSPELLING) return false;
  return distance(name, known) <= (known.length <= SHORT_NAME ? 1 : 2);
}

/** Letters added, left out, replaced or swapped with their neighbour. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, replaced);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
