/** Names as people type them, and what they may have meant. */

/** How many changes of a letter make another word still a misspelling, by its length. */
const LETTERS_A_CHANGE = 3;
/** Names that a message lists. */
const MOST_NAMED = 12;

/** The names that are most like one that there is not; at most three. */
export function similarNames(name: string, names: readonly string[]): readonly string[] {
  const plain = (text: string) => text.normalize("NFKC").toLowerCase().replaceAll(/[\s_.-]+/g, "");
  const asked = plain(name);
  return names.map((other) => ({ other, distance: distanceOf(asked, plain(other)) }))
    .filter(({ other, distance }) =>
      distance <= Math.max(1, Math.floor(asked.length / LETTERS_A_CHANGE)) ||
      asked.length > 2 && plain(other).includes(asked)
    )
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3).map(({ other }) => other);
}

/** Names for a message, the first of them where there are many. */
export function listed(names: readonly string[], between: string): string {
  const shown = names.slice(0, MOST_NAMED).join(between);
  return names.length > MOST_NAMED ? `${shown} …` : shown;
}

/** How many letters have to be put in, left out or changed (Levenshtein 1966). */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1)!;
}
