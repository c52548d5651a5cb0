import type * as z from "zod";
import { ConfigError } from "../errors.ts";
import { schemaProblems } from "../schema_problems.ts";

/**
 * Checks a parsed config.json against its schema. Unknown keys are ignored: published
 * configurations carry many that concern training alone.
 *
 * @throws {ConfigError} Naming every key that is wrong, what was expected and what was found.
 */
export function parseConfig<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  // The Chinese messages say what was found, which zod's issues carry only when asked to.
  const result = schema.safeParse(json, { reportInput: true });
  if (result.success) return result.data;
  throw new ConfigError(file, schemaProblems(result.error, (key) => `"${key}"`));
}
