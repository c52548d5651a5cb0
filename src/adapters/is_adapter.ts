import { parseKey, unreadKind } from "./_keys.ts";

/**
 * Whether these are the names of an adapter's tensors, of whatever model, and not of a model's own.
 */
export function isAdapter(names: Iterable<string>): boolean {
  let all = 0;
  let changes = 0;
  for (const name of names) {
    all++;
    if (parseKey(name) !== undefined || unreadKind(name) !== undefined) changes++;
  }
  return changes > 0 && changes * 2 > all;
}
