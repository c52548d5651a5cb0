/**
 * Tokens that are found in the text itself, before it is cut.
 *
 * Rules: tokenizers/src/tokenizer/added_vocabulary.rs of huggingface/tokenizers.
 *
 * @module
 */
import type { Normalizer } from "./_normalizers.ts";
import { Refusal } from "./_refusal.ts";

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly isWord: boolean;
  readonly takesLeft: boolean;
  readonly takesRight: boolean;
  readonly isNormalized: boolean;
}

/** A part of a text: a token that was found, or text. */
export type Section =
  | { readonly id: number }
  | { readonly text: string; readonly isFirst: boolean };

/** Rust's `\w` and `\s`. */
const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const SPACE = /\p{White_Space}/u;

export class AddedTokens {
  /** Ids by content, in addition to the model's. */
  readonly ids: ReadonlyMap<string, number>;
  readonly #asTyped: Finder;
  readonly #normalized: Finder;
  readonly #normalizer: Normalizer;

  /** @throws {Refusal} When a token has no content. */
  constructor(
    list: unknown,
    vocabulary: ReadonlyMap<string, number>,
    normalizer: Normalizer,
  ) {
    if (!Array.isArray(list)) throw new Refusal("added_tokens is no list", "added_tokens 不是列表");
    const tokens = new Map<string, AddedToken>();
    const ids = new Map<string, number>();
    let highest = -1;
    for (const entry of list) {
      const { content, special = false, ...token } = (entry ?? {}) as Record<string, unknown>;
      if (typeof content !== "string") {
        throw new Refusal("an added token has no content", "有一个新增词没有内容");
      }
      if (content === "") continue;
      const known = vocabulary.get(content) ?? ids.get(content);
      // As Rust's tokenizers count them, whatever the file says.
      const id = known ?? Math.max(highest + 1, vocabulary.size);
      highest = Math.max(highest, id);
      ids.set(content, id);
      tokens.set(content, {
        id,
        content,
        isWord: token["single_word"] === true,
        takesLeft: token["lstrip"] === true,
        takesRight: token["rstrip"] === true,
        isNormalized: (token["normalized"] ?? !special) === true,
      });
    }
    this.ids = ids;
    this.#normalizer = normalizer;
    const all = [...tokens.values()];
    this.#asTyped = new Finder(
      all.filter(({ isNormalized }) => !isNormalized).map((token) => [token.content, token]),
    );
    this.#normalized = new Finder(
      all.filter(({ isNormalized }) => isNormalized)
        .map((token) => [normalizer(token.content), token]),
    );
  }

  /** Takes a text apart; what is text has been normalized. */
  sections(text: string): Section[] {
    return this.#asTyped.sections(text, true).flatMap((section): Section[] => {
      if ("id" in section) return [section];
      const { text, isFirst } = section;
      const keepsStart = !(this.#normalizer.cutsStart?.(text) ?? false);
      return this.#normalized.sections(this.#normalizer(text), isFirst && keepsStart);
    });
  }
}

/** Finds tokens in a text: of those that begin at a place, the longest. */
class Finder {
  readonly #tokens: ReadonlyMap<string, AddedToken>;
  /** By a first UTF-16 unit, the lengths of the tokens that begin with it, the longest first. */
  readonly #lengths = new Map<number, number[]>();

  constructor(entries: readonly (readonly [string, AddedToken])[]) {
    this.#tokens = new Map(entries.filter(([content]) => content !== ""));
    for (const content of this.#tokens.keys()) {
      const first = content.charCodeAt(0);
      const lengths = this.#lengths.get(first) ?? [];
      if (!lengths.includes(content.length)) lengths.push(content.length);
      this.#lengths.set(first, lengths);
    }
    for (const lengths of this.#lengths.values()) lengths.sort((a, b) => b - a);
  }

  sections(text: string, isFirst: boolean): Section[] {
    const found: Section[] = [];
    let end = 0;
    const addText = (to: number) => {
      if (to > end) found.push({ text: text.slice(end, to), isFirst: isFirst && end === 0 });
    };
    for (let at = 0; at < text.length;) {
      const token = this.#at(text, at);
      if (token === undefined) {
        at++;
        continue;
      }
      let [start, stop] = [at, at + token.length];
      at = stop;
      const { id, isWord, takesLeft, takesRight } = token.token;
      if (
        isWord && (WORD.test(characterBefore(text, start)) || WORD.test(characterAt(text, stop)))
      ) {
        continue;
      }
      while (takesLeft && start > end && SPACE.test(text[start - 1]!)) start--;
      while (takesRight && stop < text.length && SPACE.test(text[stop]!)) stop++;
      addText(start);
      found.push({ id });
      end = Math.max(end, stop);
    }
    addText(text.length);
    return found;
  }

  #at(
    text: string,
    at: number,
  ): { readonly token: AddedToken; readonly length: number } | undefined {
    for (const length of this.#lengths.get(text.charCodeAt(at)) ?? []) {
      const token = this.#tokens.get(text.slice(at, at + length));
      if (token !== undefined) return { token, length };
    }
    return undefined;
  }
}

const characterAt = (text: string, at: number): string =>
  at < text.length ? String.fromCodePoint(text.codePointAt(at)!) : "";

function characterBefore(text: string, at: number): string {
  const pair = at >= 2 ? text.codePointAt(at - 2)! : 0;
  return pair > 0xffff ? String.fromCodePoint(pair) : text[at - 1] ?? "";
}
