/**
 * Words that an encoder does not read.
 *
 * @module
 */
import { canonicalLines } from "./_canonical.ts";
import type { Findings } from "./_findings.ts";
import { withSystemPrompt } from "./with_system_prompt.ts";
import type { Prompt, PromptEncoder } from "./types.ts";

/** How much of what falls off is quoted. */
const MOST_QUOTED = 160;

/** Counts a prompt's tokens, and tells of those that fall off. */
export function reportTokens(
  text: string,
  prompt: Prompt,
  canonical: string,
  encoder: PromptEncoder,
  findings: Findings,
  pasted?: string,
): number {
  const read = (part: string) =>
    encoder.systemPrompts === undefined
      ? part
      : withSystemPrompt(part, encoder.systemPrompts[prompt.kind], pasted);
  const count = encoder.countTokens(read(canonical));
  if (count <= encoder.maxTokens) return count;
  const cut = wordStart(
    canonical,
    longest(canonical, (part) => encoder.countTokens(read(part)) <= encoder.maxTokens),
  );
  const lost = canonical.slice(cut).replace(/\s+/g, " ");
  const quoted = lost.length > MOST_QUOTED ? `${lost.slice(0, MOST_QUOTED)}…` : lost;
  const [start, end] = placeOf(text, prompt, canonical, cut);
  const { name, maxTokens } = encoder;
  findings.add("too-many-tokens", start, end, name, count, maxTokens, quoted);
  return count;
}

/** How much of a text passes; what begins with a part that does not pass does not either. */
function longest(text: string, passes: (part: string) => boolean): number {
  let [low, high] = [0, text.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (passes(text.slice(0, middle))) low = middle;
    else high = middle;
  }
  return low;
}

/** Where the word begins that is cut in two. */
function wordStart(text: string, cut: number): number {
  let start = cut;
  while (start > 0 && !/[\s,<>]/.test(text[start - 1]!)) start--;
  // A tag counts as one word.
  return text[start - 1] === "<" ? start - 1 : start;
}

/** Where in the prompt as typed the words stand that fall off. */
function placeOf(
  text: string,
  prompt: Prompt,
  canonical: string,
  cut: number,
): [start: number, end: number] {
  // A system prompt that was pasted in front is white space in the text.
  if (prompt.kind === "text") return [text.length - canonical.length + cut, text.length];
  let begin = 0;
  for (const lines of canonicalLines(prompt.roots)) {
    for (const { text: line, node } of lines) {
      const end = begin + line.length + 1;
      if (cut < end) {
        const word = /^[^,<>\n]+/.exec(canonical.slice(cut))?.[0] ?? "";
        const written = text.slice(node.offset, node.offset + node.length);
        const index = word === "" ? -1 : written.indexOf(word, written.indexOf(">") + 1);
        const start = node.offset + Math.max(0, index);
        return [start, index < 0 ? start + 1 : start + word.length];
      }
      begin = end;
    }
    begin++;
  }
  return [text.length, text.length];
}
