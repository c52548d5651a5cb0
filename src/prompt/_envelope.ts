/** The JSON that ComfyUI's template for this model puts around a prompt. */
import { parseJson } from "../json_problem.ts";
import { mendedJson } from "./_mended_json.ts";

/** What was in the JSON. */
export interface Envelope {
  /** Tags and caption, in the order in which they stand there. */
  readonly text: string;
  /** The places of what has no use here, such as `character_1.bbox`. */
  readonly unused: readonly string[];
}

/** A fence of Markdown around all of it, as chat programs write. */
const FENCED = /^\s*```[ \t]*(?:json)?[ \t]*\r?\n([^]*?)\r?\n[ \t]*```\s*$/i;
/** JSON, and not a template such as `{a|b}`. */
const OBJECT = /^\s*\{\s*"[^"\n]*"\s*:/;
/** How deep objects are looked into; what lies deeper counts as one value. */
const MOST_DEPTH = 4;
/** How many values without a use are named. */
const MOST_UNUSED = 20;

/** Whether a text is written as an object of JSON. */
export function isJsonObject(text: string): boolean {
  return OBJECT.test(text);
}

/**
 * Takes tags and caption out of JSON: `{"image": {"tags": …, "caption": …}}`, one object further out or
 * further in, with lists of tags. Undefined where there is neither.
 */
export function openEnvelope(typed: string): Envelope | undefined {
  const text = FENCED.exec(typed)?.[1] ?? typed;
  if (!isJsonObject(text)) return undefined;
  const json = parseJson(text) ?? parseJson(mendedJson(text));
  const holder = holderIn(json, []);
  if (holder === undefined) return undefined;
  const { tags, caption } = holder;
  const made = joined(tags, caption, holder.isCaptionFirst);
  const used = new Set(["tags", "caption"].map((key) => [...holder.path, key].join(".")));
  const unused: string[] = [];
  for (const { path, value } of leaves(json, [])) {
    if (unused.length === MOST_UNUSED) break;
    const place = path.join(".");
    const isSaid = typeof value === "string" && (value.trim() === "" || made.includes(value));
    if (!used.has(place) && !isSaid) unused.push(place);
  }
  return { text: made, unused };
}

/** The object that has tags or a caption. */
interface Holder {
  readonly path: readonly string[];
  readonly tags: string;
  readonly caption: string;
  readonly isCaptionFirst: boolean;
}

/** The outermost such object, `image` before others. */
function holderIn(json: unknown, path: readonly string[]): Holder | undefined {
  if (!isObject(json) || path.length > MOST_DEPTH) return undefined;
  const [tags, caption] = [textOf(json["tags"]), textOf(json["caption"])];
  const keys = Object.keys(json);
  if (tags !== undefined || caption !== undefined) {
    const isCaptionFirst = keys.indexOf("caption") < keys.indexOf("tags");
    return { path, tags: tags ?? "", caption: caption ?? "", isCaptionFirst };
  }
  for (const key of ["image", ...keys]) {
    const found = holderIn(json[key], [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
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
  const said = isXml
    ? `<caption>${caption.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</caption>`
    : caption;
  return (isCaptionFirst ? [said, tags.trimStart()] : [tags.trimEnd(), said]).join("\n");
}

/** All values that are no objects, a list being one value. */
function* leaves(
  json: unknown,
  path: readonly string[],
): Generator<{ readonly path: readonly string[]; readonly value: unknown }> {
  if (!isObject(json) || path.length > MOST_DEPTH) {
    yield { path, value: json };
    return;
  }
  for (const [key, value] of Object.entries(json)) yield* leaves(value, [...path, key]);
}
