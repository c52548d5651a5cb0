import { isJsonPrompt, withoutBraces } from "../prompt/mod.ts";

/**
 * Whether a prompt holds anything of the template syntax: a choice, a variable, a wrapper or a
 * wildcard. JSON, such as the prompts of ComfyUI's template for this model, is none, nor are the braces
 * that converters write around XML.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert(isTemplate("{red|blue} hair"));
 * assert(isTemplate("__hair/colour__, 1girl"));
 * assert(!isTemplate(">__<, 1girl"));
 * assert(!isTemplate('{"image": {"tags": "1girl"}}'));
 * ```
 */
export function isTemplate(prompt: string): boolean {
  if (isJsonPrompt(prompt)) return false;
  const text = withoutBraces(prompt);
  return /(?<!\\)\{/.test(text) ||
    /(?<![\\_])__[~!@]?[\p{L}\p{N}*?][^_,<>\n]*(?:_[^_,<>\n]+)*__/u.test(text);
}
