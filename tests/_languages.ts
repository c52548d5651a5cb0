/** Comparing what an error says in both languages. */
import type { NewBieError } from "../src/errors.ts";

/** What no translation changes: numbers, and what stands in quotes. */
const FACTS = /"(?:[^"\\]|\\.)*"|`[^`]*`|\d+/g;

/** Whether an error speaks Chinese too, and leaves out no number and no name. */
export function saysSameInChinese(error: NewBieError): boolean {
  const chinese = error.explain("zh");
  return /\p{Script=Han}/u.test(chinese) && /[。）]$/.test(chinese.split("\n  ")[0]!) &&
    (error.message.match(FACTS) ?? []).every((fact) => chinese.includes(fact));
}
