import { splitSystemPrompt } from "./split_system_prompt.ts";

/** What may stand before the first brace: nothing that is seen, or Markdown's fence. */
const FRONT = /^[\s\u200b-\u200f\u2060\ufeff]*(?:```\w*\s*)?(?=\{\s*<)/;

/**
 * A prompt without the braces that converters for this model write around XML,
 * `{ <character_1>…</character_1> }`; spaces stand in their place. They are no braces of a template:
 * between them stand elements.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(withoutBraces("{<n>miku</n>} 1girl"), " <n>miku</n>  1girl");
 * assert.equal(withoutBraces("{red|blue}_hair"), "{red|blue}_hair");
 * ```
 */
export function withoutBraces(typed: string): string {
  const { text } = splitSystemPrompt(typed);
  const front = FRONT.exec(text);
  if (front === null) return typed;
  const begin = front[0].length;
  let depth = 0;
  for (let at = begin; at < text.length; at++) {
    const character = text[at];
    if (character === "\\") at++;
    else if (character === "{") depth++;
    else if (character === "}" && --depth === 0) {
      if (!text.slice(begin, at).trimEnd().endsWith(">")) return typed;
      return `${typed.slice(0, begin)} ${typed.slice(begin + 1, at)} ${typed.slice(at + 1)}`;
    }
  }
  return typed;
}
