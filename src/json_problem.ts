import type { Texts } from "./language.ts";
import { shown } from "./shown.ts";

/**
 * Why a text is no JSON, in both languages and without a full stop.
 *
 * @param error What `JSON.parse` threw.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const text = '{\n  "steps": 28,\n}\n';
 * try {
 *   JSON.parse(text);
 * } catch (error) {
 *   assert.equal(
 *     jsonProblem(error).en,
 *     "not valid JSON: expected a name in double quotes (line 3, column 1)",
 *   );
 * }
 * ```
 */
export function jsonProblem(error: unknown): Texts<string> {
  const message = error instanceof Error ? error.message : String(error);
  const place = /\(line (\d+) column (\d+)\)/.exec(message);
  const reason = reasonOf(message);
  const at = {
    en: place === null ? "" : ` (line ${place[1]}, column ${place[2]})`,
    zh: place === null ? "" : `（第 ${place[1]} 行，第 ${place[2]} 列）`,
  };
  return {
    en: `not valid JSON: ${reason.en}${at.en}`,
    zh: `不是有效的 JSON：${reason.zh}${at.zh}`,
  };
}

function reasonOf(message: string): Texts<string> {
  for (const [pattern, reason] of REASONS) {
    const match = pattern.exec(message);
    if (match !== null) return reason(shown(match[1] ?? ""));
  }
  return { en: shown(message), zh: shown(message) };
}

/** What V8 says, and what it means. */
const REASONS: readonly (readonly [RegExp, (found: string) => Texts<string>])[] = [
  [/^Unexpected end of JSON input|^Unterminated string/, () => ({
    en: "it ends too early",
    zh: "内容提前结束",
  })],
  [/^Unexpected token '(.+?)', /su, (found) => ({
    en: `unexpected ${found}`,
    zh: `出现意外的 ${found}`,
  })],
  [/^Unexpected (?:token|string|number|identifier)/, () => ({
    en: "something stands where nothing of the kind may",
    zh: "出现了意外的内容",
  })],
  [/^Unexpected non-whitespace character after JSON/, () => ({
    en: "something follows after its end",
    zh: "结尾之后还有内容",
  })],
  [/^Expected double-quoted property name|^Expected property name or '}'/, () => ({
    en: "expected a name in double quotes",
    zh: "应为带双引号的名称",
  })],
  [/^Expected ':' after property name/, () => ({
    en: "expected a colon after the name",
    zh: "名称之后应为冒号",
  })],
  [/^Expected ',' or '}' after property value/, () => ({
    en: "expected a comma or } after the value",
    zh: "值之后应为逗号或 }",
  })],
  [/^Expected ',' or '\]' after array element/, () => ({
    en: "expected a comma or ] after the value",
    zh: "值之后应为逗号或 ]",
  })],
  [/^Bad control character/, () => ({
    en: "a control character in a text, such as a line break; write it as \\n",
    zh: "文本中有控制字符，例如换行；请写成 \\n",
  })],
  [/^Bad (?:escaped character|Unicode escape)/, () => ({
    en: "a backslash that begins no known escape",
    zh: "反斜杠之后不是有效的转义",
  })],
  [/number/, () => ({ en: "a number that is not complete", zh: "数字不完整" })],
];

/** What a text of JSON says; undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
