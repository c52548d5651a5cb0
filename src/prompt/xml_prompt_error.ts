import { RequestError } from "../errors.ts";
import type { PromptDiagnostic, PromptPosition } from "./types.ts";

/** An XML prompt has errors, or exceeds a bound. The message begins with the place of the first. */
export class XmlPromptError extends RequestError implements PromptPosition {
  override name = "XmlPromptError";
  readonly line: number;
  readonly column: number;
  readonly offset: number;
  /** All errors, in the order of the text. */
  readonly diagnostics: readonly PromptDiagnostic[];

  /** @param diagnostics One error at least. */
  constructor(diagnostics: readonly PromptDiagnostic[]) {
    const { line, column, offset, message, suggestion } = diagnostics[0]!;
    const advice = suggestion === undefined ? "" : ` ${suggestion}`;
    const others = diagnostics.length - 1;
    super(
      `Line ${line}, column ${column} of the prompt: ${message}${advice}` +
        (others === 0
          ? ""
          : ` There ${others === 1 ? "is 1 more error" : `are ${others} more errors`}.`),
    );
    this.line = line;
    this.column = column;
    this.offset = offset;
    this.diagnostics = diagnostics;
  }
}
