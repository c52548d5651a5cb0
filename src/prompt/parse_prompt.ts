import { readPrompt } from "./_read_prompt.ts";
import type { Language } from "../language.ts";
import type { Prompt } from "./types.ts";
import { XmlPromptError } from "./xml_prompt_error.ts";

/**
 * Understands a prompt: XML as a forest of elements, anything else as plain text.
 *
 * A prompt is XML when, behind white space, comments, an XML declaration and Markdown's fence, it
 * begins with a tag, or when it has a `<character_1>` or `<general_tags>` further in. Several elements
 * may stand at the top; text beside them becomes part of `<other>` in `<general_tags>`. Comments are
 * no content. What programs put around a prompt is taken off before (`unwrapPrompt`).
 *
 * Inside an element `&`, `<` and `>` are text wherever they are no entity and no tag: `love & peace`,
 * `>_<`, `<o>_<o>`, `<3`, `<lora:style:0.8>`, and inside of the model's elements `<very>` where that is
 * never closed. Names have no colon. Tags of the model's elements may have an input method's brackets,
 * `＜n＞`, and spaces, `<general tags>`.
 *
 * {@linkcode checkPrompt} reads the same and reports instead of throwing.
 *
 * @throws {XmlPromptError} When a prompt has errors: tags that are not closed, cross or are
 * unfinished, a DOCTYPE, or more than 65,536 characters or 64 levels.
 *
 * @example
 * ```ts
 * parsePrompt("<character_1><n>miku</n></character_1>"); // { kind: "xml", roots: [...] }
 * parsePrompt("1girl, >_<"); // { kind: "text", text: "1girl, >_<" }
 * ```
 */
export function parsePrompt(text: string): Prompt {
  const { prompt, findings } = readPrompt(text);
  const errorsIn = (language: Language) =>
    findings.diagnostics(language).filter(({ severity }) => severity === "error");
  const errors = errorsIn("en");
  if (errors.length > 0) throw new XmlPromptError(errors, errorsIn("zh"));
  return prompt;
}
