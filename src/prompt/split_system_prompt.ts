import { CLOSING, OPENING } from "./_brackets.ts";

/** A prompt, and the system prompt that was pasted in front of it. */
export interface SplitPrompt {
  /** The prompt; a system prompt in front is white space here, so that places stay what they are. */
  readonly text: string;
  /** With one space at its end; absent without one. */
  readonly systemPrompt?: string;
}

/** What is not seen, and the marks of Markdown and quotations. */
const FRONT = "[\\s\\u200b-\\u200f\\u2060\\ufeff*\"'“‘]";
/** Text without a tag, and the mark at its end. */
const SYSTEM_PROMPT = new RegExp(
  `^${FRONT}*(?!${FRONT})(?:\`\`\`\\w*\\s*)?([^<＜]{0,3000}?)` +
    `(?:[${OPENING}][ \\t]*Prompt[ _-]?Start[ \\t]*[${CLOSING}]|&lt;Prompt Start&gt;)["'”’*]*[ \\t]*[,，]?`,
  "i",
);
/**
 * How all known ones begin. Only these may stand without a prompt, as the usual negative prompt does,
 * and hold brackets, which others have where the mark stands inside of JSON.
 */
const USUAL = /^You(?: are|['’]re)\s/i;

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
  for (;;) {
    const match = SYSTEM_PROMPT.exec(typed.slice(from));
    if (match === null) break;
    const behind = from + match[0].length;
    const isMeant = USUAL.test(match[1]!) ||
      !/[{[]/.test(match[1]!) && typed.slice(behind).trim() !== "";
    if (!isMeant) break;
    systemPrompt = `${match[1]}<Prompt Start> `;
    from = behind;
  }
  if (systemPrompt === undefined) return { text: typed };
  const blank = typed.slice(0, from).replaceAll(/[^\r\n]/g, " ");
  return { text: blank + typed.slice(from), systemPrompt };
}
