/** The JSON that programs of the community put around a prompt. */
import { parseJson } from "../json_problem.ts";
import { withoutFences } from "./_is_xml.ts";
import { isKnown, isMainElement } from "./_known_elements.ts";
import { mendedJson } from "./_mended_json.ts";

/** What was in the JSON. */
export interface Envelope {
  /** What stood before the JSON, tags and caption in the order in which they stand there, and the rest. */
  readonly text: string;
  /** The places of what has no use here, such as `character_1.bbox`. */
  readonly unused: readonly string[];
}

/** An object, or a list of objects, and not a template such as `{a|b}`. */
const BEGIN = /\[\s*\{\s*"[^"\n]{0,200}"\s*:|\{\s*"[^"\n]{0,200}"\s*:/;
/**
 * Keys of tags: ComfyUI's template for this model has `tags`, upstream's data loader
 * `super_high_quality_caption` and `prompt`, programs around AUTOMATIC1111's web UI `prompt`.
 */
const TAG_KEYS: readonly string[] = ["tags", "super_high_quality_caption", "prompt"];
const CAPTION_KEYS: readonly string[] = ["caption"];
/** How deep objects are looked into; what lies deeper counts as one value. */
const MOST_DEPTH = 4;
/** How many values without a use are named. */
const MOST_UNUSED = 20;

/** Whether a text begins with an object of JSON, or a list of them. */
export function isJsonObject(text: string): boolean {
  return text.search(BEGIN) === text.search(/\S/);
}

/** Whether a text is JSON, or braces around XML, of which the end is still to come. */
export function isOpenJson(text: string): boolean {
  const begin = text.search(/\S/);
  const isJson = begin >= 0 &&
    (isJsonObject(text) || /^[{[]\s*(?:[{[]\s*)?(?:$|<)/.test(text.slice(begin)));
  return isJson && endOfJson(text, begin) === undefined;
}

/**
 * Takes tags and caption out of JSON: `{"image": {"tags": …, "caption": …}}`, one object further out or
 * further in, with lists of tags, or with the elements as objects. Text before and behind the JSON stays
 * where it is, without Markdown's fences. Undefined where there is neither.
 */
export function openEnvelope(text: string): Envelope | undefined {
  const begin = text.search(BEGIN);
  // JSON inside of an element is the element's text.
  if (begin < 0 || text.slice(0, begin).includes("<")) return undefined;
  const { json, end } = jsonAt(text, begin);
  const holder = holderIn(json, []) ?? elementsIn(json, []);
  if (holder === undefined) return undefined;
  const unused: string[] = [];
  for (const { path, value } of leaves(json, [])) {
    if (unused.length === MOST_UNUSED) break;
    const place = path.join(".");
    const isSaid = typeof value === "string" &&
      (value.trim() === "" || holder.text.includes(value));
    const isUsed = holder.used.some((used) => place === used || place.startsWith(`${used}.`));
    if (!isUsed && !isSaid) unused.push(place);
  }
  const around = [text.slice(0, begin), text.slice(end)].map((part) => withoutFences(part).trim());
  const [before, behind] = around as [string, string];
  return { text: [before, holder.text, behind].filter((part) => part !== "").join("\n"), unused };
}

/** JSON from a place on, and where it ends: as it should be, or as programs write it. */
function jsonAt(text: string, begin: number): { readonly json: unknown; readonly end: number } {
  const end = endOfJson(text, begin);
  const json = end === undefined ? undefined : parseJson(text.slice(begin, end));
  if (end !== undefined && json !== undefined) return { json, end };
  const last = Math.max(text.lastIndexOf("}"), text.lastIndexOf("]")) + 1;
  return last <= begin
    ? { json: undefined, end: begin }
    : { json: parseJson(mendedJson(text.slice(begin, last))), end: last };
}

/** Behind the bracket that closes the one at a place. */
function endOfJson(text: string, begin: number): number | undefined {
  let depth = 0;
  let isString = false;
  for (let at = begin; at < text.length; at++) {
    const character = text[at]!;
    if (isString) {
      if (character === "\\") at++;
      else if (character === '"') isString = false;
    } else if (character === '"') isString = true;
    else if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") {
      depth--;
      if (depth === 0) return at + 1;
    }
  }
  return undefined;
}

/** What of the JSON is the prompt. */
interface Holder {
  readonly text: string;
  /** The places that it was made of. */
  readonly used: readonly string[];
}

/** The outermost object that has tags or a caption, `image` before others. */
function holderIn(json: unknown, path: readonly string[]): Holder | undefined {
  if (typeof json !== "object" || json === null || path.length > MOST_DEPTH) return undefined;
  const keys = Object.keys(json);
  const values = json as Readonly<Record<string, unknown>>;
  const find = (names: readonly string[]) =>
    names.flatMap((name) => keys.filter((key) => key.toLowerCase() === name))
      .map((key) => ({ key, text: textOf(values[key]) }))
      .find(({ text }) => text !== undefined);
  const [tags, caption] = [find(TAG_KEYS), find(CAPTION_KEYS)];
  if (tags === undefined && caption === undefined) {
    const order = keys.toSorted((a, b) => Number(isImage(b)) - Number(isImage(a)));
    return firstOf(order, (key) => holderIn(values[key], [...path, key]));
  }
  const isCaptionFirst = caption !== undefined && tags !== undefined &&
    keys.indexOf(caption.key) < keys.indexOf(tags.key);
  return {
    text: joined(tags?.text ?? "", caption?.text ?? "", isCaptionFirst),
    used: [tags, caption].flatMap((found) =>
      found === undefined ? [] : [[...path, found.key].join(".")]
    ),
  };
}

const isImage = (key: string): boolean => key.toLowerCase() === "image";

function firstOf<T, R>(items: readonly T[], of: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = of(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The outermost object that has the elements themselves: `{"character_1": {"n": "miku"}}`. */
function elementsIn(json: unknown, path: readonly string[]): Holder | undefined {
  if (typeof json !== "object" || json === null || path.length > MOST_DEPTH) return undefined;
  const entries = Object.entries(json);
  if (!Array.isArray(json) && entries.some(([key]) => isMainElement(key))) {
    const elements = entries.filter(([key]) => isKnown(key));
    return {
      text: elements.map(([key, value]) => elementOf(key, value)).join("\n"),
      used: elements.map(([key]) => [...path, key].join(".")),
    };
  }
  return firstOf(entries, ([key, value]) => elementsIn(value, [...path, key]));
}

/** One element; of a list of objects, one for each. */
function elementOf(name: string, value: unknown): string {
  const text = typeof value === "number" ? String(value) : textOf(value);
  if (Array.isArray(value) && text === undefined) {
    return value.map((item) => elementOf(name, item)).join("\n");
  }
  if (!isObject(value)) return `<${name}>${escaped(text ?? "")}</${name}>`;
  const inside = Object.entries(value).filter(([key]) => /^[\p{L}_][\p{L}\p{N}_.-]*$/u.test(key))
    .map(([key, child]) => elementOf(key, child));
  return [`<${name}>`, ...inside, `</${name}>`].join("\n");
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
  return isList && value.length > 0 ? value.join(", ") : undefined;
}

function joined(tags: string, caption: string, isCaptionFirst: boolean): string {
  if (caption.trim() === "") return tags;
  if (tags.trim() === "") return caption;
  const isXml = tags.trimStart().startsWith("<");
  const said = isXml ? `<caption>${escaped(caption)}</caption>` : caption;
  return (isCaptionFirst ? [said, tags.trimStart()] : [tags.trimEnd(), said]).join("\n");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** All values that are no objects, a list being one value. */
function* leaves(
  json: unknown,
  path: readonly string[],
): Generator<{ readonly path: readonly string[]; readonly value: unknown }> {
  const isList = Array.isArray(json) && json.some((item) => isObject(item));
  if (!isObject(json) && !isList || path.length > MOST_DEPTH) {
    yield { path, value: json };
    return;
  }
  for (const [key, value] of Object.entries(json as object)) yield* leaves(value, [...path, key]);
}
