import { listItems } from "./_list.ts";
import { parsePrompt } from "./parse_prompt.ts";
import type { PromptNode } from "./types.ts";

/**
 * A prompt in the form that the encoders read: XML in the layout of the model's training data (the
 * example in the README of NewBieAI-Lab/NewBie-image-Exp0.1), plain text as typed.
 *
 * One element a line, no indentation, a blank line between the elements at the top, lists joined by
 * a comma and a space. Attributes are kept, comments are not; `&` and `<` in text stay escaped. A
 * prompt in canonical form is its own canonical form.
 *
 * @throws {XmlPromptError} When a prompt that is meant as XML is not well-formed.
 *
 * @example
 * ```ts
 * canonicalPrompt("<a><n>miku</n><x>b,c</x></a><style>flat</style>");
 * // <a>
 * // <n>miku</n>
 * // <x>b, c</x>
 * // </a>
 * //
 * // <style>flat</style>
 * ```
 */
export function canonicalPrompt(text: string): string {
  const prompt = parsePrompt(text);
  if (prompt.kind === "text") return prompt.text;
  return prompt.roots.map((root) => elementLines(root).join("\n")).join("\n\n");
}

function elementLines(node: PromptNode): string[] {
  const attributes = Object.entries(node.attributes)
    .map(([name, value]) => ` ${name}="${escapeAttribute(value)}"`);
  const open = `<${node.name}${attributes.join("")}>`;
  const close = `</${node.name}>`;
  if (node.children.length === 0) return [open + textLine(node.text) + close];
  const lines = node.content.flatMap((item) =>
    typeof item === "string" ? textLine(item) : elementLines(item)
  );
  return [open, ...lines.filter((line) => line !== ""), close];
}

/** `>` needs escaping only where it would end "]]>", which XML forbids in text. */
function textLine(text: string): string {
  return listItems(text).join(", ")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("]]>", "]]&gt;");
}

const ATTRIBUTE_ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

function escapeAttribute(value: string): string {
  return value.replace(/[&<"\t\n\r]/g, (character) => ATTRIBUTE_ESCAPES[character]!);
}
