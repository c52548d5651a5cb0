/**
 * The text for Gemma 3: the system prompt directly followed by the prompt. A prompt that is empty or
 * white space alone stays as it is, without a system prompt, unless one was pasted: the usual negative
 * prompt of the community is a system prompt and nothing else.
 *
 * @param pasted Stood in front of the prompt, and takes the place of the system prompt.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(withSystemPrompt("1girl", "Draw. "), "Draw. 1girl");
 * assert.equal(withSystemPrompt("", "Draw. "), "");
 * assert.equal(withSystemPrompt("", "Draw. ", "Draw badly. "), "Draw badly.");
 * ```
 */
export function withSystemPrompt(text: string, systemPrompt: string, pasted?: string): string {
  if (text.trim() !== "") return (pasted ?? systemPrompt) + text;
  return pasted === undefined ? text : pasted.trimEnd();
}
