/**
 * What is probably not meant, though it can be read.
 *
 * @module
 */
import { contradiction } from "./_count.ts";
import { literalEntities } from "./_entities.ts";
import type { Findings } from "./_findings.ts";
import { reportInvisible } from "./_invisible.ts";
import {
  isCharacter,
  isCharacterElement,
  isContainer,
  isKnown,
  suggestionFor,
} from "./_known_elements.ts";
import { listItems } from "./_list.ts";
import { markupOf } from "./_markup.ts";
import { reportWeights } from "./_weights.ts";
import type { Tree } from "./_xml_tree.ts";
import type { PromptNode } from "./types.ts";

const CLOSING_SHAPE = /<\/[^\s<>/]{1,100}>/g;
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g;

/** Warns of a tree. */
export function lintTree(text: string, { roots, texts }: Tree, findings: Findings): void {
  reportInvisible(text, findings);
  const nodes = [...walk(roots)];
  const suggestions = new Map<string, string | undefined>();
  for (const { node, parent } of nodes) {
    const { name, offset } = node;
    const end = tagEnd(text, node);
    if (!suggestions.has(name)) suggestions.set(name, suggestionFor(name));
    const known = suggestions.get(name);
    if (known !== undefined) findings.add("unknown-tag", offset, end, name, known);
    const isOutside = parent === undefined || isContainer(parent.name) && !isCharacter(parent.name);
    if (isCharacterElement(name) && isOutside) {
      findings.add("outside-character", offset, end, name);
    }
    if (isCharacter(name) && parent !== undefined && isCharacter(parent.name)) {
      findings.add("nested-character", offset, end, name, parent.name);
    }
    const isEmpty = node.children.length === 0 && Object.keys(node.attributes).length === 0 &&
      listItems(node.text).length === 0;
    if (isEmpty) findings.add("empty-element", offset, offset + node.length, name);
    const isLoose = isContainer(name) && node.children.length > 0 &&
      listItems(node.text).length > 0;
    if (isLoose) findings.add("loose-text", offset, end, name);
  }
  const characters = nodes.map(({ node }) => node).filter(({ name }) => isCharacter(name));
  lintCharacters(text, characters, findings);
  const counts = nodes.filter(({ node, parent }) =>
    node.name === "count" && (parent === undefined || !isCharacter(parent.name))
  ).map(({ node }) => node);
  const wrong = contradiction(counts, characters);
  if (wrong !== undefined) {
    const { tag, described, right } = wrong;
    const [start, length] = placeOf(text, counts, tag);
    findings.add("count-mismatch", start, start + length, tag, described, right);
  }
  for (const { start, end } of texts) {
    const part = text.slice(start, end);
    lintText(part, start, findings, { isXml: true });
    for (const { index, 0: shape } of part.matchAll(CLOSING_SHAPE)) {
      findings.add("not-a-tag", start + index, start + index + shape.length);
    }
  }
}

/** Warns of a text that is not XML. */
export function lintPlainText(text: string, findings: Findings): void {
  reportInvisible(text, findings);
  for (const { kind, name, start, end } of markupOf(text)) {
    if (kind !== "open" || !isKnown(name)) continue;
    findings.add("tags-in-text", start, end, name);
    break;
  }
  lintText(text, 0, findings, { isXml: false });
}

function lintText(
  text: string,
  start: number,
  findings: Findings,
  { isXml }: { readonly isXml: boolean },
): void {
  reportWeights(text, start, findings);
  for (const { written, index, meant } of literalEntities(text, isXml)) {
    const at = start + index;
    findings.add("literal-entity", at, at + written.length, written, meant);
  }
  for (const { index, 0: control } of text.matchAll(CONTROL)) {
    const code = control.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    findings.add("control-character", start + index, start + index + 1, code);
  }
}

function lintCharacters(
  text: string,
  characters: readonly PromptNode[],
  findings: Findings,
): void {
  const numbers = characters.map(({ name }) => Number(name.slice("character_".length)));
  const highest = numbers.reduce((a, b) => Math.max(a, b), 0);
  const first = new Map<string, PromptNode>();
  const named = new Map<string, PromptNode>();
  for (const character of characters) {
    const { name, offset } = character;
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, character);
    else {
      const end = tagEnd(text, character);
      const next = `character_${highest + 1}`;
      findings.add("duplicate-character", offset, end, name, earlier.line, next);
    }
    const nameNode = character.children.find(({ name }) => name === "n");
    const called = nameNode === undefined ? undefined : listItems(nameNode.text)[0];
    if (nameNode === undefined || called === undefined) continue;
    const namesake = named.get(called);
    if (namesake === undefined) named.set(called, nameNode);
    else if (earlier === undefined) {
      const end = nameNode.offset + nameNode.length;
      findings.add("duplicate-name", nameNode.offset, end, called, namesake.line);
    }
  }
}

interface Place {
  readonly node: PromptNode;
  readonly parent: PromptNode | undefined;
}

/** All elements in the order of the text. */
function* walk(nodes: readonly PromptNode[], parent?: PromptNode): Generator<Place> {
  for (const node of nodes) {
    yield { node, parent };
    yield* walk(node.children, node);
  }
}

/** Behind an element's opening tag. Text that was put into an element of its own has none. */
function tagEnd(text: string, { name, offset, length }: PromptNode): number {
  const end = text.slice(offset, offset + length).search(/[>＞]/);
  return offset + (end < 0 ? Math.min(length, name.length + 1) : end + 1);
}

/** Where a tag of the counts stands; the first count when it is not found as it is. */
function placeOf(text: string, counts: readonly PromptNode[], tag: string): [number, number] {
  for (const { offset, length } of counts) {
    const index = text.slice(offset, offset + length).indexOf(tag);
    if (index >= 0) return [offset + index, tag.length];
  }
  return [counts[0]!.offset, counts[0]!.length];
}
