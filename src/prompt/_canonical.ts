import { escapeEntities } from "./_entities.ts";
import { listItems } from "./_list.ts";
import { holdsMarkup } from "./_markup.ts";
import type { Prompt, PromptNode } from "./types.ts";

/** One line of canonical text, and the element that it says something of. */
export interface CanonicalLine {
  readonly text: string;
  readonly node: PromptNode;
}

/** The text of a prompt that has no errors. */
export function canonicalText(prompt: Prompt): string {
  if (prompt.kind === "text") return prompt.text;
  return prompt.roots.map((root) => canonicalLines(root).map(({ text }) => text).join("\n"))
    .join("\n\n");
}

/** One element a line, without indentation. */
export function canonicalLines(node: PromptNode): CanonicalLine[] {
  const lines: CanonicalLine[] = [];
  addLines(node, lines);
  return lines;
}

function addLines(node: PromptNode, lines: CanonicalLine[]): void {
  const attributes = Object.entries(node.attributes)
    .map(([name, value]) => ` ${name}="${escapeAttribute(value)}"`);
  const open = `<${node.name}${attributes.join("")}>`;
  const close = `</${node.name}>`;
  const add = (text: string) => void lines.push({ text, node });
  if (node.children.length === 0) return add(open + textLine(node.text) + close);
  add(open);
  for (const item of node.content) {
    if (typeof item !== "string") addLines(item, lines);
    else if (listItems(item).length > 0) add(textLine(item));
  }
  add(close);
}

/**
 * The training data has `&` and `<` as they are, so they stay wherever they are read as text again.
 * A line in which any `<` would begin markup has all of them written as entities: with only some of
 * them replaced, the others might begin a tag.
 */
function textLine(text: string): string {
  const line = escapeEntities(listItems(text).join(", "));
  if (!holdsMarkup(line)) return line;
  return line.replaceAll("<", "&lt;").replaceAll("＜", "&#xFF1C;");
}

const ATTRIBUTE_ESCAPES: Readonly<Record<string, string>> = {
  "<": "&lt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

function escapeAttribute(value: string): string {
  return escapeEntities(value)
    .replace(/[<"\t\n\r]/g, (character) => ATTRIBUTE_ESCAPES[character]!);
}
