import type { Language } from "../language.ts";
import { Positions } from "./_positions.ts";
import { fixOf } from "./_fixes.ts";
import { type Code, type Details, sayingOf } from "./_texts.ts";
import type { PromptDiagnostic, PromptEdit, PromptPosition } from "./types.ts";

/** What is only probably wrong; anything else is an error. */
const WARNINGS: ReadonlySet<Code> = new Set<Code>([
  "stray-text",
  "loose-text",
  "tags-in-text",
  "unknown-tag",
  "unpaired-tag",
  "misspelt-closing-tag",
  "closing-tag-content",
  "attribute-name",
  "attribute-value",
  "attribute-quotes",
  "duplicate-attribute",
  "full-width-tag",
  "not-a-tag",
  "duplicate-character",
  "duplicate-name",
  "nested-character",
  "outside-character",
  "empty-element",
  "count-mismatch",
  "weighted-tag",
  "escaped-parenthesis",
  "lora-tag",
  "template",
  "control-character",
  "invisible-character",
  "alternation",
  "break-word",
  "swarm-tag",
  "embedding-name",
  "option-in-prompt",
  "picture-parameters",
  "literal-entity",
  "unused-json",
  "too-many-tokens",
]);

/** How many faults of one kind are listed; the last one says how many more there are. */
const MOST_OF_A_KIND = 20;

interface Finding {
  readonly code: Code;
  readonly offset: number;
  readonly length: number;
  readonly say: (language: Language) => readonly [string, string?];
  readonly fix: () => readonly PromptEdit[] | undefined;
}

/** Collects what is found in one prompt. */
export class Findings {
  readonly #text: string;
  #positions: Positions | undefined;
  readonly #found: Finding[] = [];
  readonly #counts = new Map<Code, number>();

  constructor(text: string) {
    this.#text = text;
  }

  /** Line and column of an offset. */
  at(offset: number): PromptPosition {
    this.#positions ??= new Positions(this.#text);
    return this.#positions.at(offset);
  }

  /** Adds a fault between two offsets. */
  add<C extends Code>(code: C, start: number, end: number, ...details: Details<C>): void {
    const count = (this.#counts.get(code) ?? 0) + 1;
    this.#counts.set(code, count);
    if (count > MOST_OF_A_KIND) return;
    const say = (language: Language) => sayingOf(code, details, language);
    const fix = () => fixOf(code, { text: this.#text, start, end }, details);
    this.#found.push({ code, offset: start, length: end - start, say, fix });
  }

  /** Everything found, in the order of the text. */
  diagnostics(language: Language, { fixes = false } = {}): PromptDiagnostic[] {
    const last = new Map(this.#found.map((finding) => [finding.code, finding]));
    return this.#found.map((finding): PromptDiagnostic => {
      const { code, offset, length } = finding;
      const [message, suggestion] = finding.say(language);
      const fix = fixes ? finding.fix() : undefined;
      const more = last.get(code) === finding ? this.#counts.get(code)! - MOST_OF_A_KIND : 0;
      return {
        code,
        severity: WARNINGS.has(code) ? "warning" : "error",
        message,
        ...(suggestion === undefined ? {} : { suggestion }),
        ...this.at(offset),
        length,
        ...(fix === undefined ? {} : { fix }),
        ...(more > 0 ? { more } : {}),
      };
    }).sort((a, b) => a.offset - b.offset);
  }
}
