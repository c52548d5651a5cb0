/**
 * How many columns of a terminal characters take.
 *
 * @module
 */

/** East Asian Wide and Fullwidth (Unicode Standard Annex #11), by blocks, and emoji. */
const WIDE = new RegExp(
  "[\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\u4dbf\\u4e00-\\ua4cf\\ua960-\\ua97f\\uac00-\\ud7a3" +
    "\\uf900-\\ufaff\\ufe10-\\ufe19\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6" +
    "\\u{1f300}-\\u{1f64f}\\u{1f900}-\\u{1f9ff}\\u{20000}-\\u{3fffd}]|\\p{Emoji_Presentation}",
  "u",
);
const INVISIBLE = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** How many columns of a terminal one character takes. */
export function displayWidth(character: string): 0 | 1 | 2 {
  if (INVISIBLE.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
