import { isXml } from "./_is_xml.ts";
import { unwrapPrompt } from "./unwrap_prompt.ts";
import type { PromptKind } from "./types.ts";

/**
 * Which of the two kinds a prompt is, without reading it whole: a prompt of kind `"xml"` may still
 * have errors. `parsePrompt` says what makes a text XML.
 */
export function promptKind(text: string): PromptKind {
  return isXml(unwrapPrompt(text).text) ? "xml" : "text";
}
