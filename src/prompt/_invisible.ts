/**
 * Characters that nobody sees, which web pages and chats leave in copied text, and which the encoders
 * read all the same.
 *
 * @module
 */
import type { Findings } from "./_findings.ts";

/** What they are called, in Unicode's words. */
const NAMES: Readonly<Record<string, string>> = {
  "\u00a0": "no-break space",
  "\u00ad": "soft hyphen",
  "\u034f": "combining grapheme joiner",
  "\u061c": "Arabic letter mark",
  "\u115f": "Hangul filler",
  "\u1160": "Hangul filler",
  "\u180e": "Mongolian vowel separator",
  "\u2007": "figure space",
  "\u200b": "zero width space",
  "\u200c": "zero width non-joiner",
  "\u200d": "zero width joiner",
  "\u200e": "left-to-right mark",
  "\u200f": "right-to-left mark",
  "\u202a": "left-to-right embedding",
  "\u202b": "right-to-left embedding",
  "\u202c": "pop directional formatting",
  "\u202d": "left-to-right override",
  "\u202e": "right-to-left override",
  "\u202f": "narrow no-break space",
  "\u2060": "word joiner",
  "\u2061": "function application",
  "\u2062": "invisible times",
  "\u2063": "invisible separator",
  "\u2064": "invisible plus",
  "\u2066": "left-to-right isolate",
  "\u2067": "right-to-left isolate",
  "\u2068": "first strong isolate",
  "\u2069": "pop directional isolate",
  "\u2800": "braille pattern blank",
  "\u3164": "Hangul filler",
  "\ufeff": "byte order mark",
  "\uffa0": "half-width Hangul filler",
};

/** Those that are spaces: an ordinary one is meant. */
const SPACES = /[\u00a0\u2007\u202f]/;

const INVISIBLE = new RegExp(`[${Object.keys(NAMES).join("")}]`, "gu");

/** Letters that are joined, or kept apart, by the two joiners: Arabic's, Syriac's, India's. */
const JOINING =
  "\\p{Script=Arab}\\p{Script=Syrc}\\p{Script=Mong}\\p{Script=Deva}\\p{Script=Beng}\\p{Script=Guru}" +
  "\\p{Script=Gujr}\\p{Script=Orya}\\p{Script=Taml}\\p{Script=Telu}\\p{Script=Knda}\\p{Script=Mlym}" +
  "\\p{Script=Sinh}\\p{Script=Khmr}\\p{Script=Mymr}";
/** Where a joiner is part of how people write. */
const IN_PLACE = new RegExp(
  `(?<=[${JOINING}]\\p{M}*)[\\u200c\\u200d](?=[${JOINING}])|` +
    "(?<=[\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f])\\u200d(?=\\p{Extended_Pictographic})",
  "gu",
);

/** Whether a text shows nothing. */
export const isBlank = (text: string): boolean => text.replace(INVISIBLE, "").trim() === "";

/** Where what can be seen of a text begins and ends. */
export function seen(text: string): readonly [start: number, end: number] {
  const blanked = text.replace(INVISIBLE, " ");
  const start = blanked.search(/\S/);
  return start < 0 ? [0, 0] : [start, blanked.trimEnd().length];
}

/** Tells of each character that is not seen, by its name. */
export function reportInvisible(text: string, findings: Findings): void {
  const inPlace = new Set(Array.from(text.matchAll(IN_PLACE), ({ index }) => index));
  for (const { index, 0: character } of text.matchAll(INVISIBLE)) {
    if (inPlace.has(index)) continue;
    const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    const name = NAMES[character]!;
    findings.add("invisible-character", index, index + 1, code, name, SPACES.test(character));
  }
}
