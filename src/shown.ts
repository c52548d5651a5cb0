/**
 * Text of files and names that somebody else wrote, as messages show it.
 *
 * @module
 */

/** The most characters that a message shows of one name or value. */
export const MOST_SHOWN = 160;

/**
 * Characters that are not seen or that change how others are shown: controls, escape sequences, line
 * and paragraph separators, marks of direction, what has no width, halves of surrogate pairs.
 */
const HIDDEN =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}\u061c\u200e\u200f\ufff9-\ufffb]/u;

/**
 * Where a hidden character is part of how people write, it stays: a joiner within an emoji or
 * between letters of a script that joins them (Persian, Hindi), the selector after an emoji or a
 * Han character, the letters of a flag.
 */
const IN_PLACE = new RegExp(
  [
    "(?<=[\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f])\\u200d(?=\\p{Extended_Pictographic})",
    "(?<=[\\p{Script=Arab}\\p{Script=Syrc}\\p{Script=Deva}\\p{Script=Beng}\\p{Script=Mlym}" +
    "\\p{Script=Sinh}\\p{Script=Taml}\\p{Script=Telu}\\p{Script=Knda}\\p{Script=Gujr}\\p{M}])" +
    "[\\u200c\\u200d](?=[\\p{Script=Arab}\\p{Script=Syrc}\\p{Script=Deva}\\p{Script=Beng}" +
    "\\p{Script=Mlym}\\p{Script=Sinh}\\p{Script=Taml}\\p{Script=Telu}\\p{Script=Knda}" +
    "\\p{Script=Gujr}])",
    "(?<=[\\p{Emoji}\\p{Script=Han}])[\\ufe00-\\ufe0f]",
    "(?<=\\p{Script=Han})[\\u{e0100}-\\u{e01ef}]",
    "(?<=\\u{1f3f4}[\\u{e0020}-\\u{e007e}]{0,6})[\\u{e0020}-\\u{e007f}]",
  ].join("|"),
  "u",
);

/** More accents on one character than any script has would be drawn over other lines. */
const PILED_UP = /(?<=\p{M}{4})\p{M}/u;

const REPLACED = new RegExp(
  `(${IN_PLACE.source})|${HIDDEN.source}|${PILED_UP.source}`,
  "gu",
);

const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * Makes every character visible that is not: `\n`, `\u001b`, `\u202e`, as JSON writes them. What is
 * visible already stays as it is, so that doing it twice changes nothing.
 */
export function visible(text: string): string {
  return text.replace(REPLACED, (character, kept?: string) => kept ?? escaped(character));
}

/** A character as JSON can write it. */
function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, unit) => character.charCodeAt(unit));
  return NAMED[character] ??
    units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

/**
 * A name or value that somebody else wrote, for a message: every character visible, and of a long
 * one its beginning and its end.
 *
 * @param most How many characters are shown at the most.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(shown("a\x1b[31m.png\n"), "a\\u001b[31m.png\\n");
 * assert.equal(shown("初音ミク👩‍👩‍👧.png"), "初音ミク👩‍👩‍👧.png");
 * assert.equal(shown("0123456789", 5), "012…9");
 * ```
 */
export function shown(text: string, most = MOST_SHOWN): string {
  // Twice as many units hold so many characters; a value of megabytes is not gone through.
  const isHuge = text.length > 4 * most;
  const characters = Array.from(visible(isHuge ? text.slice(0, 2 * most) : text));
  if (!isHuge && characters.length <= most) return characters.join("");
  const end = isHuge ? Array.from(visible(text.slice(-2 * most))) : characters;
  const tail = Math.floor((most - 1) / 4);
  const head = characters.slice(0, most - 1 - tail).join("");
  return `${head}…${tail === 0 ? "" : end.slice(-tail).join("")}`;
}

const LONGEST_QUOTE = 120;

/** A name from a file of weights: in quotes, every character visible, of bounded length. */
export function quote(name: string): string {
  const begun = name.length > LONGEST_QUOTE ? `${name.slice(0, LONGEST_QUOTE)}…` : name;
  return visible(JSON.stringify(begun));
}

/** Writes a line to the standard error, with every character visible: where nobody gave a log. */
export function logLine(line: string): void {
  console.error(visible(line));
}
