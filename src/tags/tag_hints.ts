import { listItems, parsePrompt, type PromptNode } from "../prompt/mod.ts";
import type { TagList } from "./load_tag_list.ts";

/** A tag of a prompt that a list has under another name, or not at all. */
export interface TagHint {
  /** As it was typed. */
  readonly tag: string;
  /** The name that it is an alias of. */
  readonly name?: string;
  /** Names that it was probably meant to be, the most used first; none of an alias. */
  readonly near: readonly string[];
}

/** Elements whose text is a name, or a sentence. */
const NO_TAGS: ReadonlySet<string> = new Set(["n", "artist", "artists", "caption", "resolution"]);
/** More words than this between two commas are a sentence. */
const MOST_WORDS = 4;
/** How many tags are told of, and how many unknown ones are compared with all that there are. */
const MOST_HINTS = 200;
const MOST_COMPARED = 300;

/**
 * The aliases and near misses among the tags of a prompt. A tag that a list does not have, and that
 * comes near none of it, may be right all the same.
 *
 * @throws {XmlPromptError} When the prompt is malformed XML.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { TagList } from "./load_tag_list.ts";
 *
 * const tag = { name: "blue_hair", category: 0, count: 9, aliases: ["azure_hair"] };
 * assert.deepEqual(tagHints("1girl, azure hair, bleu_hair", new TagList([tag])), [
 *   { tag: "azure hair", name: "blue_hair", near: [] },
 *   { tag: "bleu_hair", near: ["blue_hair"] },
 * ]);
 * ```
 */
export function tagHints(prompt: string, list: TagList): readonly TagHint[] {
  if (list.size === 0) return [];
  const parsed = parsePrompt(prompt);
  const texts = parsed.kind === "text" ? [parsed.text] : parsed.roots.flatMap(textsIn);
  const hints = new Map<string, TagHint>();
  let compared = 0;
  for (const tag of texts.flatMap((text) => listItems(text))) {
    if (hints.size === MOST_HINTS) break;
    if (hints.has(tag) || tag.split(/\s+/).length > MOST_WORDS) continue;
    const name = list.nameOf(tag);
    if (name === undefined) {
      const near = ++compared > MOST_COMPARED ? [] : list.near(tag);
      if (near.length > 0) hints.set(tag, { tag, near });
    } else if (list.get(tag) === undefined) {
      hints.set(tag, { tag, name, near: [] });
    }
  }
  return [...hints.values()];
}

function textsIn({ name, text, children }: PromptNode): readonly string[] {
  return NO_TAGS.has(name) ? [] : [text, ...children.flatMap(textsIn)];
}
