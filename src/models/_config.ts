import { z } from "zod";
import { ConfigError } from "../errors.ts";

const chinese = z.locales.zhCN().localeError;

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
  throw new ConfigError(
    file,
    result.error.issues.map((issue) => {
      const key = issue.path.join(".");
      const { message: en } = issue;
      const zh = inChinese(issue) ?? en;
      return key === "" ? { en, zh } : { en: `"${key}": ${en}`, zh: `"${key}"：${zh}` };
    }),
  );
}

/** What zod's own Chinese locale makes of an issue. */
function inChinese(issue: z.core.$ZodIssue): string | undefined {
  const said = chinese(issue as z.core.$ZodRawIssue);
  return (typeof said === "string" ? said : said?.message) ?? undefined;
}
