import type { z } from "zod";
import { ConfigError } from "../errors.ts";

/**
 * Checks a parsed config.json against its schema. Unknown keys are ignored: published
 * configurations carry many that concern training alone.
 *
 * @throws {ConfigError} Naming every key that is wrong, what was expected and what was found.
 */
export function parseConfig<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  throw new ConfigError(
    file,
    result.error.issues.map((issue) => {
      const key = issue.path.join(".");
      return key === "" ? issue.message : `"${key}": ${issue.message}`;
    }),
  );
}
