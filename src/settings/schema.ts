import * as z from "zod";
import { isSetting } from "./leaves.ts";
import { SETTINGS } from "./settings.ts";
import type { SettingsTable } from "./types.ts";

/**
 * The schema of settings in JSON, nested as in the API: `z.decode` reads them, `z.encode` writes
 * them. What the table lets be absent may be absent; nothing else may be there.
 */
export function settingsSchema(table: SettingsTable = SETTINGS): z.ZodObject {
  return z.strictObject(Object.fromEntries(
    Object.entries(table).map(([key, entry]) => {
      if (!isSetting(entry)) return [key, settingsSchema(entry)];
      const { kind: { schema }, isOptional, absent } = entry;
      return [key, isOptional || absent !== undefined ? z.exactOptional(schema) : schema];
    }),
  ));
}
