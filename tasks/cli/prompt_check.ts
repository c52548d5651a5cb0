/** Looks at a prompt before a picture is made of it. */
import {
  checkPrompt,
  type PromptEncoder,
  readLoraTags,
  renderDiagnostics,
} from "../../src/prompt/mod.ts";
import type { Language, Texts } from "../../src/language.ts";
import { language } from "./language.ts";
import { Painted } from "./print.ts";
import { understandsEscapes } from "./understands_escapes.ts";

/** What is to be said of a prompt. */
export interface Examination {
  /** Errors and warnings for people; no lines when there are none. */
  readonly report: Painted;
  /** The same for an error's message, line by line. */
  readonly message: Texts<readonly string[]>;
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
  const { diagnostics } = checkPrompt(prompt, { language, encoders });
  const color = understandsEscapes(Deno.stdout) && understandsEscapes(Deno.stderr) && !Deno.noColor;
  const named = source === undefined ? {} : { source };
  const linesIn = (language: Language) => {
    const { diagnostics } = checkPrompt(prompt, { language, encoders });
    return renderDiagnostics(prompt, diagnostics, { language, ...named }).split("\n");
  };
  return {
    report: new Painted(
      diagnostics.length === 0
        ? []
        : renderDiagnostics(prompt, diagnostics, { language, color, ...named }).split("\n"),
    ),
    message: { en: linesIn("en"), zh: linesIn("zh") },
    faultyLine: diagnostics.find(({ severity }) => severity === "error")?.line,
  };
}

/** Errors that may go away with the next line. */
const UNFINISHED = new Set(["unclosed-tag", "unended"]);

/** Whether the rest of a prompt is still to come: tags are open at its end. */
export function isUnfinished(prompt: string): boolean {
  return checkPrompt(prompt).diagnostics.some(({ code }) => UNFINISHED.has(code));
}
