/**
 * Settings in the words of AUTOMATIC1111's text.
 *
 * @module
 */
import { leavesOf, nested, valueAt } from "./leaves.ts";
import { SETTINGS } from "./settings.ts";
import type { AnySetting, SettingsTable } from "./types.ts";
import { fromText, isAbsent, toText } from "./values.ts";

/** Between the values of settings that share a name: `Size: 256x384`. */
const BETWEEN = "x";

/** Settings by that text's names, the prompts too. */
export function toInfotext(
  settings: object,
  table: SettingsTable = SETTINGS,
): Record<string, string> {
  const written: Record<string, string> = {};
  for (const { path, setting } of leavesOf(table)) {
    const value = valueAt(settings, path);
    const { name, omit, words } = setting.infotext;
    if (value === undefined || isAbsent(setting, value) || Object.is(value, omit)) continue;
    const text = words?.[value as string] ?? toText(setting.kind, value);
    written[name] = Object.hasOwn(written, name) ? written[name] + BETWEEN + text : text;
  }
  return written;
}

/** What such a text says of the settings. */
export interface FromInfotext {
  /** Nested as the API has them; what is not said is absent. */
  readonly settings: Record<string, unknown>;
  /** The names whose values are none that the settings have, such as a sampler of another program. */
  readonly unknown: readonly string[];
}

/** Reads settings by that text's names. Names that no setting has are passed over. */
export function fromInfotext(
  parameters: Readonly<Record<string, string>>,
  table: SettingsTable = SETTINGS,
): FromInfotext {
  const leaves = leavesOf(table);
  const unknown = new Set<string>();
  const entries = leaves.map(({ path, setting }) => {
    const { name } = setting.infotext;
    const text = Object.hasOwn(parameters, name) ? parameters[name]! : undefined;
    if (text === undefined) return [path, undefined] as const;
    const sharing = leaves.filter(({ setting }) => setting.infotext.name === name);
    const place = sharing.findIndex(({ setting: other }) => other === setting);
    const own = sharing.length === 1 ? text : text.split(BETWEEN)[place] ?? "";
    const value = readWord(setting, own);
    if (value === undefined) unknown.add(name);
    return [path, value] as const;
  });
  return { settings: nested(entries), unknown: [...unknown] };
}

function readWord({ kind, infotext: { words = {} } }: AnySetting, text: string): unknown {
  const word = text.trim().toLowerCase();
  const named = Object.entries<string>(words).find(([, own]) => own.toLowerCase() === word);
  return named === undefined ? fromText(kind, text) : named[0];
}
