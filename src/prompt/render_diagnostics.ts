import type { Language, Texts } from "../language.ts";
import { displayWidth } from "../display_width.ts";
import { shown, visible } from "../shown.ts";
import { Positions } from "./_positions.ts";
import type { PromptDiagnostic } from "./types.ts";
import { unwrapPrompt } from "./unwrap_prompt.ts";

/** How diagnostics are shown. */
export interface RenderDiagnosticsOptions {
  /** Of the words around the messages; English when absent. */
  readonly language?: Language;
  /** What the prompt is called, such as its file's name. */
  readonly source?: string;
  /** Whether to use a terminal's colours; not when absent. */
  readonly color?: boolean;
}

const TEXTS: Texts<{
  readonly source: string;
  readonly severity: Readonly<Record<PromptDiagnostic["severity"], string>>;
  readonly more: (count: number) => string;
}> = {
  en: {
    source: "prompt",
    severity: { error: "error: ", warning: "warning: " },
    more: (count) => `and ${count} more of this kind`,
  },
  zh: {
    source: "提示词",
    severity: { error: "错误：", warning: "警告：" },
    more: (count) => `另有 ${count} 处同类问题`,
  },
};

const COLORS = { error: "\x1b[1;31m", warning: "\x1b[1;33m", dim: "\x1b[2m" } as const;
const RESET = "\x1b[0m";

/** How many characters of a long line are shown before and from the place. */
const SHOWN_BEFORE = 50;
const SHOWN_FROM = 70;

/**
 * Diagnostics for people: the message, the line with carets under the place, and what to do. Wide
 * characters count two columns, tabs stay tabs, and only what is near the place is shown of a long
 * line.
 *
 * @param typed The prompt as typed.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { checkPrompt } from "./check_prompt.ts";
 *
 * const prompt = "<character_1>\n  <n>初音ミク\n</character_1>";
 * const { diagnostics } = checkPrompt(prompt);
 * assert.equal(
 *   renderDiagnostics(prompt, diagnostics, { source: "miku.xml" }),
 *   `miku.xml:3:1: error: </character_1> closes an element inside which <n>, opened at line 2, column 3, is still open.
 * 3 | </character_1>
 *   | ^^^^^^^^^^^^^^
 *   = Put </n> before it.`,
 * );
 * ```
 */
export function renderDiagnostics(
  typed: string,
  diagnostics: readonly PromptDiagnostic[],
  options: RenderDiagnosticsOptions = {},
): string {
  const { language = "en", color = false } = options;
  const texts = TEXTS[language];
  const { text: unwrapped, unused } = unwrapPrompt(typed);
  // What was in JSON has places of its own; else the text as typed has the same places.
  const text = unused === undefined ? typed : unwrapped;
  const source = shown(options.source ?? texts.source);
  const positions = new Positions(text);
  const paint = (code: string, part: string) => color ? code + part + RESET : part;
  const render = (diagnostic: PromptDiagnostic): string => {
    const { severity, message, suggestion, line, column, more } = diagnostic;
    const [excerpted, marks] = excerpt(text, diagnostic, positions.lineStart(line));
    const gutter = " ".repeat(String(line).length);
    const note = (content: string) => `${paint(COLORS.dim, `${gutter} =`)} ${content}`;
    return [
      `${source}:${line}:${column}: ${paint(COLORS[severity], texts.severity[severity])}` +
      printable(message),
      `${paint(COLORS.dim, `${line} |`)} ${excerpted}`,
      `${paint(COLORS.dim, `${gutter} |`)} ${paint(COLORS[severity], marks)}`,
      ...(suggestion === undefined ? [] : [note(printable(suggestion))]),
      ...(more === undefined ? [] : [note(texts.more(more))]),
    ].join("\n");
  };
  return diagnostics.map(render).join("\n\n");
}

/** The part of a line around a place, and the line of carets under it. */
function excerpt(
  text: string,
  { offset, length }: PromptDiagnostic,
  lineStart: number,
): [shown: string, marks: string] {
  const from = Math.max(lineStart, offset - SHOWN_BEFORE);
  const rest = text.slice(offset, offset + SHOWN_FROM);
  const line = /^[^\r\n]*/.exec(rest)![0];
  const isCut = line.length === SHOWN_FROM && /^[^\r\n]/.test(text.slice(offset + SHOWN_FROM));
  const before = (from > lineStart ? "…" : "") + printable(text.slice(from, offset).toWellFormed());
  const marked = printable(line.slice(0, length).toWellFormed());
  const after = printable(line.slice(length).toWellFormed());
  const spaces = Array.from(
    before,
    (character) => character === "\t" ? "\t" : " ".repeat(displayWidth(character)),
  ).join("");
  const width = Array.from(marked).reduce((sum, character) => sum + displayWidth(character), 0);
  return [before + marked + after + (isCut ? "…" : ""), spaces + "^".repeat(Math.max(1, width))];
}

/** Text without anything that would steer the terminal; a tab does not. */
function printable(text: string): string {
  return text.split("\t").map(visible).join("\t");
}
