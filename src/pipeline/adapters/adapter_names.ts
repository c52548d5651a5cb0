/** Names as people type them, and what they may have meant. */
import { isNearName } from "../../prompt/mod.ts";

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
