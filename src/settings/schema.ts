import * as z from "zod";
import type { Texts } from "../language.ts";
import { schemaProblems } from "../schema_problems.ts";
import { isSetting, leavesOf, valueAt } from "./leaves.ts";
import { inMessage } from "./values.ts";
import { SETTINGS } from "./settings.ts";
import type { SettingsTable } from "./types.ts";

/**
 * The schema of settings in JSON, nested as in the API: `z.decode` reads them, `z.encode` writes
 * them. What the table lets be absent may be absent; nothing else may be there.
 */
export function settingsSchema(table: SettingsTable = SETTINGS): z.ZodObject {
  return z.strictObject(Object.fromEntries(
    Object.entries(table).map(([key, entry]) => {
      if (!isSetting(entry)) {
        const group = settingsSchema(entry);
        const mayBeAbsent = leavesOf(entry).every(({ setting: { isOptional, absent } }) =>
          isOptional || absent !== undefined
        );
        return [key, mayBeAbsent ? z.exactOptional(group) : group];
      }
      const { kind: { schema }, isOptional, absent } = entry;
      return [key, isOptional || absent !== undefined ? z.exactOptional(schema) : schema];
    }),
  ));
}

/** What is wrong with JSON that a schema with settings in it refused, in the settings' own words. */
export function settingsProblems(
  json: unknown,
  { issues }: z.ZodError,
  table: SettingsTable = SETTINGS,
): readonly Texts<string>[] {
  const leaves = new Map(leavesOf(table).map(({ name, setting }) => [name, setting]));
  const problems = issues.flatMap((issue): readonly Texts<string>[] => {
    const path = issue.path.map(String);
    const setting = leaves.get(path.join("."));
    if (setting === undefined) return schemaProblems(new z.ZodError([issue]));
    const { expected } = setting.kind;
    const value = valueAt(json, path);
    const found = value === undefined
      ? { en: "found nothing", zh: "但没有" }
      : { en: `found ${inMessage(value)}`, zh: `而不是 ${inMessage(value)}` };
    const name = path.join(".");
    return [{
      en: `${name}: expected ${expected.en}, ${found.en}`,
      zh: `${name}：应为${expected.zh}，${found.zh}`,
    }];
  });
  // A value may be wrong in several ways, which the words name at once.
  return [...new Map(problems.map((problem) => [problem.en, problem])).values()];
}
