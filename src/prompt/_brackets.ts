/**
 * Brackets of tags as they are typed: `<` and `>`, and what an input method makes of these two keys,
 * full-width ones (`＜n＞`) or those of titles (`《n》`, `〈n〉`).
 *
 * @module
 */

/** What begins a tag; for a class of a regular expression. */
export const OPENING = "<＜《〈﹤";
/** What ends one. */
export const CLOSING = ">＞》〉﹥";
/** Whether a tag has any but XML's own signs. */
export const isWide = (tag: string): boolean => /[＜／＞《》〈〉﹤﹥]/.test(tag);
