import { isXml } from "./_is_xml.ts";
import { parseTree } from "./_xml_tree.ts";
import type { Prompt } from "./types.ts";

/**
 * Understands a prompt: XML as a forest of elements, anything else as plain text.
 *
 * A prompt is XML when, behind white space, comments and an XML declaration, it begins with a tag:
 * `<name` followed by white space, `/` or `>`. Faces such as `>_<` and `<o>_<o>`, hearts `<3` and
 * weights such as `<lora:style:0.8>` do not make a list of tags XML. Several elements may stand at
 * the top. Comments are no content.
 *
 * @throws {XmlPromptError} When a prompt that is meant as XML is not well-formed, has text outside
 * of every element, or exceeds the bounds on length and depth.
 *
 * @example
 * ```ts
 * parsePrompt("<character_1><n>miku</n></character_1>"); // { kind: "xml", roots: [...] }
 * parsePrompt("1girl, >_<"); // { kind: "text", text: "1girl, >_<" }
 * ```
 */
export function parsePrompt(text: string): Prompt {
  return isXml(text) ? { kind: "xml", roots: parseTree(text) } : { kind: "text", text };
}
