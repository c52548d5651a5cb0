import { formOf, isOfCharacter } from "./_forms.ts";

/**
 * The element of `<general_tags>` that a word belongs into: where its usual form says nothing, it is
 * about the style; what is said of a character otherwise is `other` here.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(pictureElement("best quality"), "quality");
 * assert.equal(pictureElement("film still"), "style");
 * ```
 */
export function pictureElement(tag: string): string {
  const form = formOf(tag.trim().toLowerCase().replaceAll("_", " ").replaceAll("\\", ""));
  if (form === undefined) return "style";
  return isOfCharacter(form.element) ? "other" : form.element;
}
