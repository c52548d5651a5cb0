import type { AnySetting, SettingsTable } from "./types.ts";

/** A setting and where it stands in the API's options, in a recipe and in a request. */
export interface Leaf {
  /** `["generator", "seed"]`. */
  readonly path: readonly string[];
  /** `generator.seed`. */
  readonly name: string;
  readonly setting: AnySetting;
}

/** The settings of a table, in its order. */
export function leavesOf(table: SettingsTable): readonly Leaf[] {
  return Object.entries(table).flatMap(([key, entry]): readonly Leaf[] => {
    if (isSetting(entry)) return [{ path: [key], name: key, setting: entry }];
    return leavesOf(entry).map(({ path, setting }) => ({
      path: [key, ...path],
      name: [key, ...path].join("."),
      setting,
    }));
  });
}

/** What stands in a place of nested values; undefined where nothing does. */
export function valueAt(values: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (found, key) =>
      typeof found === "object" && found !== null && Object.hasOwn(found, key)
        ? (found as Readonly<Record<string, unknown>>)[key]
        : undefined,
    values,
  );
}

/** Nested values from their places; what is undefined is left out, and so is a group without any. */
export function nested(
  entries: Iterable<readonly [path: readonly string[], value: unknown]>,
): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [path, value] of entries) {
    if (value === undefined) continue;
    let group = root;
    for (const key of path.slice(0, -1)) group = (group[key] ??= {}) as Record<string, unknown>;
    group[path.at(-1)!] = value;
  }
  return root;
}

/** Whether an entry of a table is a setting, and no group of them. */
export function isSetting(entry: AnySetting | SettingsTable): entry is AnySetting {
  return "kind" in entry && "about" in entry;
}
