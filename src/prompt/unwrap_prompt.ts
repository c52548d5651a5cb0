import { isJsonObject, openEnvelope } from "./_envelope.ts";
import { type SplitPrompt, splitSystemPrompt } from "./split_system_prompt.ts";

/** A prompt without what programs of the community put around it. */
export interface UnwrappedPrompt extends SplitPrompt {
  /**
   * What the JSON around the prompt held besides, such as `character_1.bbox`; absent where there was no
   * JSON, and where there was, `text` has places of its own.
   */
  readonly unused?: readonly string[];
}

/**
 * Takes off what people paste along with a prompt: the system prompt in front
 * ({@linkcode splitSystemPrompt}), and the JSON of ComfyUI's template for this model, whose `image.tags`
 * is the prompt and whose `image.caption` becomes its `<caption>`. That template puts both between
 * quotation marks as they are, with their line breaks and quotation marks; this is read, too.
 *
 * Tags and caption keep the order of the JSON. Upstream's trainer gives its encoders one text for each
 * picture and knows no such JSON; of upstream's programs only the builder of ComfyUI-Newbie-Nodes joins
 * them, as `<caption>` beside the characters.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const { text, systemPrompt } = unwrapPrompt("You are an assistant. <Prompt Start> 1girl");
 * assert.equal(text.trim(), "1girl");
 * assert.equal(systemPrompt, "You are an assistant. <Prompt Start> ");
 * const json = '{"character_1": {"bbox": [0, 0, 1, 1]}, "image": {"tags": "1girl"}}';
 * assert.deepEqual(unwrapPrompt(json), { text: "1girl", unused: ["character_1.bbox"] });
 * assert.deepEqual(unwrapPrompt("1girl"), { text: "1girl" });
 * ```
 */
export function unwrapPrompt(typed: string): UnwrappedPrompt {
  const outer = splitSystemPrompt(typed);
  const envelope = openEnvelope(outer.text);
  if (envelope === undefined) return outer;
  const systemPrompt = outer.systemPrompt === undefined ? {} : { systemPrompt: outer.systemPrompt };
  return { ...systemPrompt, ...splitSystemPrompt(envelope.text), unused: envelope.unused };
}

/** Whether a prompt is written as JSON, behind a system prompt or not. */
export function isJsonPrompt(typed: string): boolean {
  return isJsonObject(splitSystemPrompt(typed).text);
}
