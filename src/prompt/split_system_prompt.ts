/** A prompt, and the system prompt that was pasted in front of it. */
export interface SplitPrompt {
  /** The prompt; a system prompt in front is white space here, so that places stay what they are. */
  readonly text: string;
  /** With one space at its end; absent without one. */
  readonly systemPrompt?: string;
}

/**
 * A pasted system prompt is a sentence or two, behind characters that are not seen and Markdown's fence.
 */
const SYSTEM_PROMPT =
  /^[\s\u200b-\u200f\u2060]*(?:```\w*\s*)?(You(?: are|['’]re)\s[^<＜]{0,2000}?)[<＜]Prompt Start[>＞][ \t]*[,，]?/i;

/**
 * Takes off the system prompt that upstream's trainer and ComfyUI's template write before a prompt
 * (`You are an assistant … <Prompt Start>`); of several the last one counts.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const { text, systemPrompt } = splitSystemPrompt("You are an assistant. <Prompt Start>, 1girl");
 * assert.equal(text.trim(), "1girl");
 * assert.equal(systemPrompt, "You are an assistant. <Prompt Start> ");
 * assert.deepEqual(splitSystemPrompt("1girl"), { text: "1girl" });
 * ```
 */
export function splitSystemPrompt(typed: string): SplitPrompt {
  let systemPrompt: string | undefined;
  let from = 0;
  for (let match = SYSTEM_PROMPT.exec(typed); match !== null;) {
    systemPrompt = `${match[1]}<Prompt Start> `;
    from += match[0].length;
    match = SYSTEM_PROMPT.exec(typed.slice(from));
  }
  if (systemPrompt === undefined) return { text: typed };
  const blank = typed.slice(0, from).replaceAll(/[^\r\n]/g, " ");
  return { text: blank + typed.slice(from), systemPrompt };
}
