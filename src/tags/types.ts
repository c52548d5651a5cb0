/**
 * What becomes of a list of tags.
 *
 * @module
 */
import type { Texts } from "../language.ts";

/** A tag of which the converter was not sure. */
export interface UnsureTag {
  readonly tag: string;
  /** Where it was put, such as `character_1/appearance` or `general_tags/other`. */
  readonly place: string;
  readonly reason: Texts<string>;
}

/** Tags of which only the person knows whose they are. */
export interface TagQuestion {
  /** In the order of the list. */
  readonly tags: readonly string[];
  readonly question: Texts<string>;
}

/** The result of {@linkcode tagsToXml}. */
export interface TagsAsXml {
  readonly xml: string;
  readonly unsure: readonly UnsureTag[];
  /**
   * What remains open; the XML then follows the order of the list, as if its first half were of the
   * first character.
   */
  readonly questions: readonly TagQuestion[];
  /** Tags of answers that are not in the list, or that were given to a character that there is not. */
  readonly unusedAnswers: readonly string[];
  /** How many characters there are. */
  readonly characters: number;
}
