const MOST_EXTENTS_SHOWN = 16;

/** A shape as messages show it, of bounded length. */
export function showShape(shape: readonly number[]): string {
  const shown = shape.slice(0, MOST_EXTENTS_SHOWN).join(", ");
  return shape.length > MOST_EXTENTS_SHOWN ? `[${shown}, … ${shape.length} axes]` : `[${shown}]`;
}
