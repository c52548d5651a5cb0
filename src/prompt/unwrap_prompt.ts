/** A prompt without what programs of the community put around it. */
export interface UnwrappedPrompt {
  /**
   * The prompt. A system prompt in front of it is white space here, so that places in the text stay
   * what they are; what was in JSON has places of its own.
   */
  readonly text: string;
  /** The system prompt that was pasted in front, with one space at its end; absent without one. */
  readonly systemPrompt?: string;
}

/** A pasted system prompt is a sentence or two. */
const SYSTEM_PROMPT = /^\s*(You are an? [^<]{0,2000}<Prompt Start>)[ \t]*[,，]?/;

/**
 * Takes off what people paste along with a prompt: the system prompt that upstream's trainer writes
 * before it (`You are an assistant … <Prompt Start>`), and the JSON of ComfyUI's template for this
 * model, whose `image.tags` is the prompt and whose `image.caption` becomes its `<caption>`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const { text, systemPrompt } = unwrapPrompt("You are an assistant. <Prompt Start> 1girl");
 * assert.equal(text.trim(), "1girl");
 * assert.equal(systemPrompt, "You are an assistant. <Prompt Start> ");
 * assert.equal(unwrapPrompt('{"image": {"tags": "1girl"}}').text, "1girl");
 * assert.deepEqual(unwrapPrompt("1girl"), { text: "1girl" });
 * ```
 */
export function unwrapPrompt(text: string): UnwrappedPrompt {
  const unwrapped = fromEnvelope(text) ?? text;
  const match = SYSTEM_PROMPT.exec(unwrapped);
  if (match === null) return { text: unwrapped };
  const blank = match[0].replaceAll(/[^\r\n]/g, " ");
  return { text: blank + unwrapped.slice(match[0].length), systemPrompt: `${match[1]} ` };
}

function fromEnvelope(text: string): string | undefined {
  if (!/^\s*\{\s*"/.test(text)) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { image } = json as {
    readonly image?: { readonly tags?: unknown; readonly caption?: unknown };
  };
  const tags = image?.tags;
  const caption = image?.caption;
  if (typeof tags !== "string") return undefined;
  if (typeof caption !== "string" || caption.trim() === "") return tags;
  if (!tags.trimStart().startsWith("<")) return `${tags}\n${caption}`;
  const escaped = caption.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `${tags.trimEnd()}\n<caption>${escaped}</caption>`;
}
