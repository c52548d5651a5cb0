import { resolveEntities } from "./_entities.ts";
import { type Envelope, isJsonObject, isOpenJson, openEnvelope } from "./_envelope.ts";
import { isXml } from "./_is_xml.ts";
import { isKnown } from "./_known_elements.ts";
import { parseJson } from "../json_problem.ts";
import { type SplitPrompt, splitSystemPrompt } from "./split_system_prompt.ts";
import { withoutBraces } from "./without_braces.ts";

/** A prompt without what programs of the community put around it. */
export interface UnwrappedPrompt extends SplitPrompt {
  /**
   * What the JSON around the prompt held besides, such as `character_1.bbox`; absent where `text` has
   * the places of what was typed, and there where it has places of its own.
   */
  readonly unused?: readonly string[];
}

/** How often something may be wrapped up again. */
const MOST_WRAPPINGS = 8;

/**
 * Takes off what people paste along with a prompt:
 *
 * - the system prompt in front ({@linkcode splitSystemPrompt});
 * - the JSON of ComfyUI's template for this model, whose `image.tags` is the prompt and whose
 *   `image.caption` becomes its `<caption>`, and JSON like it: a line of the data of upstream's trainer,
 *   a list with one such object, the elements themselves as objects. That template puts its texts between
 *   quotation marks as they are, with their line breaks and quotation marks; this is read, too;
 * - the braces that converters write around XML;
 * - the escapes of XML that was copied out of a web page or a JSON string.
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
  let unwrapped: UnwrappedPrompt = splitSystemPrompt(typed);
  for (let round = 0; round < MOST_WRAPPINGS; round++) {
    const { text, unused = [] } = unwrapped;
    const envelope = openEnvelope(text) ?? openEscaped(text);
    if (envelope === undefined) break;
    unwrapped = {
      ...unwrapped,
      ...splitSystemPrompt(envelope.text),
      unused: [...unused, ...envelope.unused],
    };
  }
  return { ...unwrapped, text: withoutBraces(unwrapped.text) };
}

/** Whether a prompt is written as JSON, behind a system prompt or not. */
export function isJsonPrompt(typed: string): boolean {
  const { text } = splitSystemPrompt(typed);
  return isJsonObject(text) || openEnvelope(text) !== undefined;
}

/** Whether what programs put around a prompt is still open at its end: JSON, braces, Markdown's fence. */
export function isOpenWrapping(typed: string): boolean {
  const { text } = splitSystemPrompt(typed);
  const fences = text.match(/^[ \t]*```/gm)?.length ?? 0;
  return fences === 1 || isOpenJson(text);
}

const ESCAPED_TAG = /&lt;\/([\p{L}_][\p{L}\p{N}_]*)&gt;/gu;

/** XML as a web page shows it, `&lt;n&gt;`, or as JSON holds it, `"<n>\n"`. */
function openEscaped(text: string): Envelope | undefined {
  if (/^\s*"[^]*"\s*$/.test(text)) {
    const json = parseJson(text);
    if (typeof json === "string" && isXml(json)) return { text: json, unused: [] };
  }
  if (!text.includes("&lt;/") || isXml(text)) return undefined;
  if (![...text.matchAll(ESCAPED_TAG)].some(([, name]) => isKnown(name!))) return undefined;
  const plain = resolveEntities(text);
  return isXml(plain) ? { text: plain, unused: [] } : undefined;
}
