/** Text in columns, where Chinese takes two of them a character. */

import { displayWidth } from "../../src/display_width.ts";

/** May not begin a line. */
const CLOSING = /^[，。：；、）！？]/;

/** How many columns a text takes on a terminal. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += displayWidth(character);
  return columns;
}

/** Adds spaces up to a width. */
export function padColumns(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - columnsOf(text)));
}

/** A number and its unit stay together. */
const UNIT_SPACE = /(?<=\d) (?=[GM]iB)/g;
const NO_BREAK_SPACE = "\u00a0";

/**
 * Breaks a text into lines: at spaces, and between wide characters. A path longer than a line is
 * broken after a slash; what has none of these stays whole.
 *
 * @param paths `"keep"` leaves paths whole, for commands, which are to be copied.
 */
export function wrapColumns(
  text: string,
  columns: number,
  paths: "break" | "keep" = "break",
): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    const whole = paragraph.replace(UNIT_SPACE, NO_BREAK_SPACE);
    for (
      const piece of pieces(whole).flatMap((piece) =>
        paths === "break" ? breakPath(piece, columns) : [piece]
      )
    ) {
      if (line !== "" && columnsOf(line + piece.trimEnd()) > columns) {
        lines.push(line.trimEnd());
        line = "";
      }
      line += line === "" ? piece.trimStart() : piece;
    }
    lines.push(line.trimEnd());
  }
  return lines.map((line) => line.replaceAll(NO_BREAK_SPACE, " "));
}

function breakPath(piece: string, columns: number): string[] {
  return columnsOf(piece.trimEnd()) > columns ? piece.split(/(?<=\/)/) : [piece];
}

/** Words with the space after them, wide characters one by one with the punctuation after them. */
function pieces(text: string): string[] {
  const found: string[] = [];
  let narrow = "";
  for (const character of text) {
    if (CLOSING.test(character)) {
      // It stays with what it closes, and a line may end after it.
      if (narrow === "" && found.length > 0) found[found.length - 1] += character;
      else found.push(narrow + character);
      narrow = "";
      continue;
    }
    if (displayWidth(character) === 2) {
      if (narrow !== "") found.push(narrow);
      narrow = "";
      found.push(character);
    } else {
      narrow += character;
      if (character === " ") {
        found.push(narrow);
        narrow = "";
      }
    }
  }
  if (narrow !== "") found.push(narrow);
  return found;
}
