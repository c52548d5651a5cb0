import { OPENING } from "./_brackets.ts";
import { escapeEntities } from "./_entities.ts";
import { Findings } from "./_findings.ts";
import { listItems } from "./_list.ts";
import { holdsMarkup } from "./_markup.ts";
import type { Prompt, PromptNode } from "./types.ts";
import { parseTree } from "./_xml_tree.ts";

/** One line of canonical text, and the element that it says something of. */
export interface CanonicalLine {
  readonly text: string;
  readonly node: PromptNode;
}

/** The lines of each element at the top. */
type Lines = readonly (readonly CanonicalLine[])[];

/** The text of a prompt that has no errors. */
export function canonicalText(prompt: Prompt): string {
  return prompt.kind === "text" ? prompt.text : joined(canonicalLines(prompt.roots));
}

/**
 * One element a line, without indentation.
 *
 * The training data has `&` and `<` as they are, so they stay wherever they are read as text again:
 * `<very>` is text where it is never closed. Else a line in which any `<` would begin markup has all
 * of them written as entities; with only some of them replaced, the others might begin a tag.
 */
export function canonicalLines(roots: readonly PromptNode[]): Lines {
  const escaped = linesOf(roots, escapedLine);
  if (!/&lt;|&#xFF1C;/.test(joined(escaped))) return escaped;
  const asTyped = linesOf(roots, textLine);
  const text = joined(asTyped);
  const findings = new Findings(text);
  const again = parseTree(text, findings).roots;
  const isSame = findings.diagnostics("en").every(({ severity }) => severity === "warning") &&
    joined(linesOf(again, escapedLine)) === joined(escaped);
  return isSame ? asTyped : escaped;
}

function joined(lines: Lines): string {
  return lines.map((root) => root.map(({ text }) => text).join("\n")).join("\n\n");
}

function linesOf(roots: readonly PromptNode[], lineOf: (text: string) => string): Lines {
  return roots.map((root) => {
    const lines: CanonicalLine[] = [];
    addLines(root, lineOf, lines);
    return lines;
  });
}

function addLines(
  node: PromptNode,
  lineOf: (text: string) => string,
  lines: CanonicalLine[],
): void {
  const attributes = Object.entries(node.attributes)
    .map(([name, value]) => ` ${name}="${escapeAttribute(value)}"`);
  const open = `<${node.name}${attributes.join("")}>`;
  const close = `</${node.name}>`;
  const add = (text: string) => void lines.push({ text, node });
  if (node.children.length === 0) return add(open + lineOf(node.text) + close);
  add(open);
  for (const item of node.content) {
    if (typeof item !== "string") addLines(item, lineOf, lines);
    else if (listItems(item).length > 0) add(lineOf(item));
  }
  add(close);
}

const WIDE_OPENING = new RegExp(`[${OPENING.replace("<", "")}]`, "g");

function textLine(text: string): string {
  return escapeEntities(listItems(text).join(", "));
}

function escapedLine(text: string): string {
  const line = textLine(text);
  if (!holdsMarkup(line)) return line;
  return line.replaceAll("<", "&lt;").replaceAll(
    WIDE_OPENING,
    (bracket) => `&#x${bracket.charCodeAt(0).toString(16).toUpperCase()};`,
  );
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
