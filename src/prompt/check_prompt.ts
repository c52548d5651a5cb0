import type { Language } from "../language.ts";
import { canonicalText } from "./_canonical.ts";
import { lintPlainText, lintTree } from "./_lint.ts";
import { readPrompt } from "./_read_prompt.ts";
import { reportTokens } from "./_tokens.ts";
import type { Prompt, PromptDiagnostic, PromptEncoder } from "./types.ts";

/** How a prompt is checked. */
export interface CheckPromptOptions {
  /** Of the messages; English when absent. */
  readonly language?: Language;
  /** The encoders for which tokens are counted; none when absent. */
  readonly encoders?: readonly PromptEncoder[];
  /** Whether diagnostics come with the changes that mend them; not when absent. */
  readonly fixes?: boolean;
}

/** How long a prompt is to one encoder. */
export interface PromptTokens {
  readonly encoder: string;
  /** The system prompt and special tokens included. */
  readonly count: number;
  readonly maxTokens: number;
}

/** What was understood of a prompt, and what is wrong with it. */
export interface CheckedPrompt {
  /** As far as it could be understood. */
  readonly prompt: Prompt;
  /** What the encoders read; absent when there are errors. */
  readonly canonical?: string;
  /** The system prompt that was pasted in front, to be read instead of the usual one. */
  readonly systemPrompt?: string;
  /** One for each encoder; none when there are errors. */
  readonly tokens: readonly PromptTokens[];
  /** Errors and warnings in the order of the text. */
  readonly diagnostics: readonly PromptDiagnostic[];
}

/**
 * Reads a prompt and tells everything that is wrong with it or probably not meant, instead of
 * throwing at the first error.
 *
 * Errors are what `parsePrompt` refuses. Warnings are misspelt elements, text outside of elements,
 * a character that stands twice, an element of a character outside of one, empty elements, a count
 * that contradicts the characters, attributes that XML would refuse, tags that are never closed and no
 * element of the model, what has no use in JSON around the prompt, weights and LoRAs in other tools'
 * notation, and words that an encoder does not read.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const prompt = "<character_1>\n<apearance>blue_hair</apearance>\n</character_1>";
 * const [found] = checkPrompt(prompt).diagnostics;
 * assert.deepEqual([found?.code, found?.line, found?.column], ["unknown-tag", 2, 1]);
 * assert.equal(found?.suggestion, "Did you mean <appearance>?");
 * ```
 */
export function checkPrompt(typed: string, options: CheckPromptOptions = {}): CheckedPrompt {
  const { language = "en", encoders = [], fixes = false } = options;
  const { prompt, tree, findings, text, systemPrompt, unused = [] } = readPrompt(typed);
  const pasted = systemPrompt === undefined ? {} : { systemPrompt };
  const hasErrors = findings.diagnostics("en").some(({ severity }) => severity === "error");
  if (tree !== undefined) lintTree(text, tree, findings);
  else if (!hasErrors) lintPlainText(text, findings);
  if (unused.length > 0) findings.add("unused-json", 0, Math.min(1, text.length), unused);
  if (hasErrors) {
    return {
      prompt,
      ...pasted,
      tokens: [],
      diagnostics: findings.diagnostics(language, { fixes }),
    };
  }
  const canonical = canonicalText(prompt);
  const tokens = encoders.map((encoder): PromptTokens => ({
    encoder: encoder.name,
    count: reportTokens(text, prompt, canonical, encoder, findings, systemPrompt),
    maxTokens: encoder.maxTokens,
  }));
  return {
    prompt,
    canonical,
    ...pasted,
    tokens,
    diagnostics: findings.diagnostics(language, { fixes }),
  };
}
