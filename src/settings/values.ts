/**
 * Settings as values: checked, merged, completed.
 *
 * @module
 */
import * as z from "zod";
import { RequestError } from "../errors.ts";
import type { Texts } from "../language.ts";
import { shown } from "../shown.ts";
import { type Leaf, leavesOf, nested, valueAt } from "./leaves.ts";
import { type AskedSettings, SETTINGS, type Settings } from "./settings.ts";
import type { AnySetting, Kind, SettingsTable } from "./types.ts";

/** The value of a setting that JSON says; undefined where it is none. */
export function fromJson<Value>({ schema }: Kind<Value>, json: unknown): Value | undefined {
  const read = z.safeDecode(schema as z.ZodType<Value, unknown>, json);
  return read.success ? read.data : undefined;
}

/** The value of a setting that a text says; undefined where it is none. */
export function fromText<Value>(kind: Kind<Value>, text: string): Value | undefined {
  return fromJson(kind, kind.fromText(text));
}

/** A value in JSON. */
export function toJson<Value>({ schema }: Kind<Value>, value: Value): unknown {
  return z.encode(schema, value);
}

/** A value as text, which {@linkcode fromText} reads again. */
export function toText<Value>(kind: Kind<Value>, value: Value): string {
  return String(toJson(kind, value));
}

/** That a value is none, in a sentence: `numInferenceSteps is 0; expected …`. */
export function wrongValue(
  name: string | Texts<string>,
  found: unknown,
  { expected }: Pick<Kind<unknown>, "expected">,
): Texts<string> {
  const { en, zh } = typeof name === "string" ? { en: name, zh: name } : name;
  return {
    en: `${en} is ${inMessage(found)}; expected ${expected.en}.`,
    zh: `${zh} 是 ${inMessage(found)}；应为${expected.zh}。`,
  };
}

/**
 * Looks whether the values that are there are of their kind.
 *
 * @throws {RequestError} Naming the first that is not.
 */
export function checkSettings(values: object, table: SettingsTable = SETTINGS): void {
  for (const { path, name, setting } of leavesOf(table)) {
    const value = valueAt(values, path);
    if (value === undefined || z.safeEncode(setting.kind.schema, value).success) continue;
    const { en, zh } = wrongValue(name, value, setting.kind);
    throw new RequestError(en, { zh });
  }
}

/**
 * One request over another: of each setting the last value that there is.
 *
 * @param layers From the weakest to the strongest.
 */
export function mergeSettings(
  layers: readonly AskedSettings[],
  table: SettingsTable = SETTINGS,
): AskedSettings {
  return eachOf(
    table,
    ({ path }) =>
      layers.map((layer) => valueAt(layer, path)).findLast((value) => value !== undefined),
  );
}

/**
 * A request with every value that it leaves open.
 *
 * @param byModel What the model says: its size, its sampler.
 * @param isDemo Whether it is the demo model, which has defaults of its own.
 */
export function resolveSettings(
  asked: AskedSettings,
  { byModel, isDemo }: { readonly byModel: AskedSettings; readonly isDemo: boolean },
): Settings {
  return eachOf(
    SETTINGS,
    ({ path, setting }) =>
      valueAt(asked, path) ?? valueAt(byModel, path) ?? defaultOf(setting, isDemo),
  ) as Settings;
}

/** What counts where nobody says anything. */
export function defaultOf<Value>(
  { default: usual, demo = usual }: { readonly default?: Value; readonly demo?: Value },
  isDemo: boolean,
): Value | undefined {
  return isDemo ? demo : usual;
}

/** Settings without those that say no more than their absence would. */
export function withoutAbsent(settings: object, table: SettingsTable): Record<string, unknown> {
  return eachOf(table, ({ path, setting }) => {
    const value = valueAt(settings, path);
    return isAbsent(setting, value) ? undefined : value;
  });
}

/** Settings with what their absence means. */
export function withAbsent(settings: object, table: SettingsTable): Record<string, unknown> {
  return eachOf(table, ({ path, setting }) => valueAt(settings, path) ?? setting.absent);
}

/** Whether a recipe leaves the value out. */
export function isAbsent({ absent }: AnySetting, value: unknown): boolean {
  return absent !== undefined && Object.is(value, absent);
}

function eachOf(table: SettingsTable, value: (leaf: Leaf) => unknown): Record<string, unknown> {
  return nested(leavesOf(table).map((leaf) => [leaf.path, value(leaf)]));
}

/** A value as messages show it. */
export function inMessage(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(shown(value));
  return typeof value === "object" ? shown(JSON.stringify(value)) : String(value);
}
