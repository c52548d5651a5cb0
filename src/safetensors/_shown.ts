/** How messages show names, lists and shapes from a file: of bounded length, without controls. */
import { visible } from "../shown.ts";

const LONGEST_QUOTE = 120;
const MOST_EXTENTS_SHOWN = 16;

/** A name as messages show it: in quotes, every character visible, of bounded length. */
export function quote(name: string): string {
  return visible(
    JSON.stringify(name.length > LONGEST_QUOTE ? `${name.slice(0, LONGEST_QUOTE)}…` : name),
  );
}

/** A shape as messages show it, of bounded length. */
export function showShape(shape: readonly number[]): string {
  const shown = shape.slice(0, MOST_EXTENTS_SHOWN).join(", ");
  return shape.length > MOST_EXTENTS_SHOWN ? `[${shown}, … ${shape.length} axes]` : `[${shown}]`;
}
