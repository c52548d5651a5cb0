import { KNOWN, suggestionFor } from "./_known_elements.ts";
import { markupOf } from "./_markup.ts";

/**
 * Names of elements that begin so; where none does, the one that was probably meant.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(completeElement("app"), ["appearance"]);
 * assert.deepEqual(completeElement("backgruond"), ["background"]);
 * assert.deepEqual(completeElement("char"), ["character_1", "character_2"]);
 * ```
 */
export function completeElement(beginning: string): readonly string[] {
  const found = [...new Set([...CHARACTERS, ...KNOWN])].filter((name) =>
    name.startsWith(beginning)
  );
  if (found.length > 0) return found;
  const meant = suggestionFor(beginning);
  return meant === undefined ? [] : [meant];
}

/**
 * The innermost element that is still open at the end of a text; undefined where none is.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(openElement("<character_1><n>miku</n><appearance>blue"), "appearance");
 * ```
 */
export function openElement(text: string): string | undefined {
  const open: string[] = [];
  // How many of each name are open: what closes none of them needs no search.
  const counts = new Map<string, number>();
  for (const { kind, name, start, end } of markupOf(text)) {
    const count = counts.get(name) ?? 0;
    if (kind === "open" && !/\/\s*>$/.test(text.slice(start, end))) {
      open.push(name);
      counts.set(name, count + 1);
    } else if (kind === "close" && count > 0) {
      const inner = open.splice(open.lastIndexOf(name));
      for (const closed of inner) counts.set(closed, counts.get(closed)! - 1);
    }
  }
  return open.at(-1);
}

/** Characters that are offered by name; further ones are rare. */
const CHARACTERS = ["character_1", "character_2"];
