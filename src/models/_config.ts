import type { z } from "zod";
import { NewBieError } from "../errors.ts";

/** A config.json that does not say what its architecture needs. */
export class ConfigError extends NewBieError {
  override name = "ConfigError";
  /** The file that was read. */
  readonly file: string;

  constructor(file: string, problems: readonly string[]) {
    super(
      `${file}: ${problems.join("; ")}. Compare it with the config.json of the original model.`,
    );
    this.file = file;
  }
}

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

/** Whether nothing at all is stated, as for a single file that stands alone. */
export function isEmpty(json: unknown): boolean {
  return typeof json === "object" && json !== null && Object.keys(json).length === 0;
}
