import { canonicalText } from "./_canonical.ts";
import { parsePrompt } from "./parse_prompt.ts";

/**
 * A prompt in the form that the encoders read: XML in the layout of the model's training data (the
 * example in the README of NewBieAI-Lab/NewBie-image-Exp0.1), plain text as typed.
 *
 * One element a line, no indentation, a blank line between the elements at the top, lists joined by
 * a comma and a space. Nothing that was written is lost: attributes are kept, and text that stands
 * outside of every element goes into `<other>` of `<general_tags>`; only comments and processing
 * instructions are no content. `&` and `<` stand as they are, as in the training data, save where
 * they would be read as an entity or a tag. A prompt in canonical form is its own canonical form.
 *
 * @throws {XmlPromptError} When a prompt that is meant as XML has errors; it carries all of them.
 *
 * @example
 * ```ts
 * canonicalPrompt("<a><n>miku</n><x>b,>_<</x></a><style>love &amp; peace</style>");
 * // <a>
 * // <n>miku</n>
 * // <x>b, >_<</x>
 * // </a>
 * //
 * // <style>love & peace</style>
 * ```
 */
export function canonicalPrompt(text: string): string {
  return canonicalText(parsePrompt(text));
}
