import { Findings } from "./_findings.ts";
import { listItems } from "./_list.ts";
import { parsePrompt } from "./parse_prompt.ts";
import type { PromptNode } from "./types.ts";
import { XmlPromptError } from "./xml_prompt_error.ts";

/** An element as plain data: a single value, a list, an object of elements, or several of these. */
export type XmlPromptValue = string | XmlPromptObject | readonly XmlPromptValue[];

/** Elements by name. */
export interface XmlPromptObject {
  readonly [name: string]: XmlPromptValue;
}

/** The key of text that stands beside elements or attributes. */
const TEXT_KEY = "#text";

/** What comes before an attribute's name in its key. */
const ATTRIBUTE_MARK = "@";

/**
 * An XML prompt as plain data.
 *
 * One rule for all elements, whatever their name: text with commas becomes an array of its items,
 * text without a comma a string, an empty element the empty string, and an element with elements
 * inside an object. An element that occurs several times within its parent becomes one array of all
 * its values. Attributes appear as `"@name"`, text beside elements or attributes as `"#text"`.
 *
 * @throws {XmlPromptError} When the prompt is plain text, or XML with errors.
 *
 * @example
 * ```ts
 * parseXmlPrompt(
 *   "<character_1><n>miku</n><appearance>blue_hair, long_twintails</appearance></character_1>",
 * ); // { character_1: { n: "miku", appearance: ["blue_hair", "long_twintails"] } }
 * ```
 */
export function parseXmlPrompt(text: string): XmlPromptObject {
  const prompt = parsePrompt(text);
  if (prompt.kind === "text") {
    const findings = new Findings(text);
    findings.add("not-xml", 0, text.length);
    throw new XmlPromptError(findings.diagnostics("en"), findings.diagnostics("zh"));
  }
  return toObject(prompt.roots.map((root): Entry => [root.name, toValue(root)]));
}

type Entry = readonly [key: string, value: XmlPromptValue];

function toValue({ attributes, children, content }: PromptNode): XmlPromptValue {
  // An element parts the text before it from the text behind it, as a comma does.
  const items = content.flatMap((item) => typeof item === "string" ? listItems(item) : []);
  const value = items.length > 1 ? items : items[0] ?? "";
  const entries = [
    ...Object.entries(attributes).map(([name, value]): Entry => [ATTRIBUTE_MARK + name, value]),
    ...children.map((child): Entry => [child.name, toValue(child)]),
  ];
  if (entries.length === 0) return value;
  return toObject(items.length === 0 ? entries : [...entries, [TEXT_KEY, value]]);
}

/** Values of equal keys are gathered in one array. */
function toObject(entries: readonly Entry[]): XmlPromptObject {
  const values = new Map<string, XmlPromptValue[]>();
  for (const [key, value] of entries) {
    const gathered = values.get(key);
    if (gathered === undefined) values.set(key, [value]);
    else gathered.push(value);
  }
  // Defines each key as the object's own, so that even __proto__ is only a name.
  return Object.fromEntries(
    Array.from(
      values,
      ([key, gathered]) => [key, gathered.length > 1 ? gathered.flat() : gathered[0]!],
    ),
  );
}
