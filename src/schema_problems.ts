import * as z from "zod";
import type { Texts } from "./language.ts";
import { shown } from "./shown.ts";

const chinese = z.locales.zhCN().localeError;

/** Chinese words by the English ones that a schema has. */
const ownWords = new Map<string, string>();

/**
 * A schema's own words for what is wrong, in both languages: what zod's `error` takes.
 *
 * @example
 * ```ts
 * import { z } from "zod";
 *
 * z.int({ error: inSchema({ en: "expected a whole number", zh: "应为整数" }) });
 * ```
 */
export function inSchema({ en, zh }: Texts<string>): string {
  ownWords.set(en, zh);
  return en;
}

/**
 * What a schema refused, a sentence for each key, in both languages. To have the values that were
 * found in the Chinese sentences, parse with `reportInput: true`.
 *
 * @param named How to write a key.
 */
export function schemaProblems(
  { issues }: z.ZodError,
  named = (key: string) => key,
): Texts<string>[] {
  return issues.map((issue) => {
    const key = shown(issue.path.join("."));
    const said = { en: shownIssue(issue.message), zh: shownIssue(inChinese(issue)) };
    if (key === "") return said;
    return { en: `${named(key)}: ${said.en}`, zh: `${named(key)}：${said.zh}` };
  });
}

/** The same as one text. */
export function schemaProblem(error: z.ZodError): Texts<string> {
  const problems = schemaProblems(error);
  return {
    en: problems.map(({ en }) => en).join("; "),
    zh: problems.map(({ zh }) => zh).join("；"),
  };
}

/** The schema's own words, or what zod's Chinese locale makes of an issue. */
function inChinese(issue: z.core.$ZodIssue): string {
  const own = ownWords.get(issue.message);
  if (own !== undefined) return own;
  const said = chinese(issue as z.core.$ZodRawIssue);
  return (typeof said === "string" ? said : said?.message) ?? issue.message;
}

/** The names of unknown keys are the file's. */
const LONGEST_ISSUE = 400;
const shownIssue = (message: string) => shown(message, LONGEST_ISSUE);
