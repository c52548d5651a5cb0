/**
 * What a prompt that is being typed may go on with.
 *
 * @module
 */
import { completeElement, openElement } from "../prompt/mod.ts";
import type { TagList } from "../tags/mod.ts";
import type { KnownWords } from "./known_words.ts";

/** The most that is offered at once. */
const MOST_OFFERED = 24;
/** Shorter words are near to too many others. */
const LEAST_MISSPELT = 3;
/** Longer ones are sentences; comparing them with every tag would take long. */
const LONGEST_TAG = 100;
/** What stands between tags. */
const TAG_ENDS = [",", "，", "、", "|", "{", "}", "<", ">", "\n"];

/** What may stand in the place of the end of a line. */
export interface Completion {
  /** The end that is replaced. */
  readonly typed: string;
  /** What may stand there, the most likely first. */
  readonly candidates: readonly string[];
}

/** Where the words come from; either may be absent. */
export interface CompletionSources {
  /** The words that the model knows, where it says so. */
  readonly words?: KnownWords | undefined;
  /** The person's own list of tags. */
  readonly tags?: TagList | undefined;
}

/**
 * Completes the end of a line of a prompt: the name of an element behind `<`, the element that is open
 * behind `</`, else a tag; where no tag begins so, those that it was probably meant to be. Tags that
 * are typed with spaces stay so.
 *
 * @param line Up to the cursor.
 * @param before The lines before it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(completePrompt("<character_1><app", "", {}), {
 *   typed: "app",
 *   candidates: ["appearance>"],
 * });
 * assert.deepEqual(completePrompt("<n>miku</", "", {}).candidates, ["n>"]);
 * ```
 */
export function completePrompt(
  line: string,
  before: string,
  { words, tags }: CompletionSources,
): Completion {
  const element = /<(\/?)([\p{L}\p{N}_.-]*)$/u.exec(line);
  if (element !== null) {
    const [whole, slash, typed] = element as unknown as [string, string, string];
    if (slash === "") {
      return { typed, candidates: closed(typed === "" ? [] : completeElement(typed)) };
    }
    const open = openElement(`${before}\n${line.slice(0, -whole.length)}`);
    return { typed, candidates: open?.startsWith(typed) ? [`${open}>`] : [] };
  }
  const start = Math.max(...TAG_ENDS.map((mark) => line.lastIndexOf(mark))) + 1;
  const typed = line.slice(start).trimStart();
  if (typed === "" || typed.length > LONGEST_TAG) return { typed, candidates: [] };
  const hasSpaces = typed.includes(" ") && !typed.includes("_");
  const beginning = typed.replaceAll(" ", "_").toLowerCase();
  const found = [
    ...words?.beginningWith(beginning) ?? [],
    ...(tags?.complete(beginning, MOST_OFFERED) ?? []).map(({ name }) => name),
  ];
  const isLong = beginning.length >= LEAST_MISSPELT;
  const offered = found.length > 0
    ? found
    : isLong
    ? [...words?.near(beginning) ?? [], ...tags?.near(beginning) ?? []]
    : [];
  const candidates = [...new Set(offered)].slice(0, MOST_OFFERED);
  return {
    typed,
    candidates: hasSpaces ? candidates.map((tag) => tag.replaceAll("_", " ")) : candidates,
  };
}

/** A name that is sure is closed. */
function closed(names: readonly string[]): readonly string[] {
  return names.length === 1 ? [`${names[0]}>`] : names;
}
