/** Looks at a prompt before a picture is made of it. */
import {
  checkPrompt,
  isOpenWrapping,
  type PromptDiagnostic,
  type PromptEncoder,
  readLoraTags,
  renderDiagnostics,
  splitSystemPrompt,
} from "../../src/prompt/mod.ts";
import type { Language, Texts } from "../../src/language.ts";
import { language } from "./language.ts";
import { Painted } from "./print.ts";
import { understandsEscapes } from "./understands_escapes.ts";

/** What is to be said of a prompt. */
export interface Examination {
  /** Errors and warnings for people; no lines when there are none. */
  readonly report: Painted;
  /** The same for an error's message, line by line, in both languages. */
  message(): Texts<readonly string[]>;
  /** The line of the first error, from 1; undefined when there is none. */
  readonly faultyLine: number | undefined;
}

/**
 * Tells what is wrong with a prompt.
 *
 * @param source What to call it, where there are several.
 */
export function examinePrompt(
  typed: string,
  encoders: readonly PromptEncoder[],
  source?: string,
): Examination {
  // Adapters are no part of the text; with spaces in their place, all others are where they were.
  const prompt = readLoraTags(typed).blanked;
  const diagnosticsIn = (language: Language) =>
    checkPrompt(prompt, { language, encoders }).diagnostics;
  const named = source === undefined ? {} : { source };
  const linesOf = (diagnostics: readonly PromptDiagnostic[], language: Language, color = false) =>
    diagnostics.length === 0
      ? []
      : renderDiagnostics(prompt, diagnostics, { language, color, ...named }).split("\n");
  const diagnostics = diagnosticsIn(language);
  const color = understandsEscapes(Deno.stdout) && understandsEscapes(Deno.stderr) && !Deno.noColor;
  return {
    report: new Painted(linesOf(diagnostics, language, color)),
    message: () => ({
      en: linesOf(diagnosticsIn("en"), "en"),
      zh: linesOf(diagnosticsIn("zh"), "zh"),
    }),
    faultyLine: diagnostics.find(({ severity }) => severity === "error")?.line,
  };
}

/** Errors that may go away with the next line. */
const UNFINISHED = new Set(["unclosed-tag", "unended"]);

/**
 * Whether the rest of a prompt is still to come: tags are open at its end, or what programs put around
 * it, or it is a system prompt alone.
 *
 * @param isNegative Whether a system prompt alone is all of it, as the usual negative prompt is.
 */
export function isUnfinished(prompt: string, isNegative = false): boolean {
  const { text, systemPrompt } = splitSystemPrompt(prompt);
  if (!isNegative && systemPrompt !== undefined && text.trim() === "") return true;
  return isOpenWrapping(prompt) ||
    checkPrompt(prompt).diagnostics.some(({ code }) => UNFINISHED.has(code));
}
