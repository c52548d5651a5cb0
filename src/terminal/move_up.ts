/**
 * Moves the cursor to the beginning of the line `rows` lines up, to draw over what stands there.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(moveUp(3), "\x1b[3A\r");
 * ```
 */
export function moveUp(rows: number): string {
  // CUU takes 0 for 1.
  return rows > 0 ? `\x1b[${rows}A\r` : "\r";
}
