/** How messages show names, lists and shapes from a file: of bounded length, without controls. */
import { visible } from "../shown.ts";
import type { Catalogue } from "./_texts.ts";

const LONGEST_QUOTE = 120;
const MOST_LISTED = 20;
const MOST_EXTENTS_SHOWN = 16;

/** A name as messages show it: in quotes, every character visible, of bounded length. */
export function quote(name: string): string {
  return visible(
    JSON.stringify(name.length > LONGEST_QUOTE ? `${name.slice(0, LONGEST_QUOTE)}…` : name),
  );
}

/** Joins what a message lists, and counts what would make it too long to read. */
export function list(items: readonly string[], separator: string, text: Catalogue): string {
  return listed(items, text).join(separator);
}

/** What a message lists, and how many more there are. */
export function listed(items: readonly string[], text: Catalogue): readonly string[] {
  const more = items.length - MOST_LISTED;
  return more <= 0 ? items : [...items.slice(0, MOST_LISTED), text.andMore(more)];
}

/** A shape as messages show it, of bounded length. */
export function showShape(shape: readonly number[]): string {
  const shown = shape.slice(0, MOST_EXTENTS_SHOWN).join(", ");
  return shape.length > MOST_EXTENTS_SHOWN ? `[${shown}, … ${shape.length} axes]` : `[${shown}]`;
}
