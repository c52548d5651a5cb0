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

  /**
   * @param diagnostics One error at least.
   * @param chinese The same, as Chinese diagnostics have it.
   */
  constructor(diagnostics: readonly PromptDiagnostic[], chinese: readonly PromptDiagnostic[]) {
    const { line, column, offset } = diagnostics[0]!;
    const others = diagnostics.length - 1;
    const more = others === 1 ? "is 1 more error" : `are ${others} more errors`;
    super({
      en: `Line ${line}, column ${column} of the prompt: ${sentences(diagnostics[0]!, " ")}` +
        (others === 0 ? "" : ` There ${more}.`),
      zh: `提示词第 ${line} 行第 ${column} 列：${sentences(chinese[0]!, "")}` +
        (others === 0 ? "" : `另有 ${others} 处错误。`),
    });
    this.line = line;
    this.column = column;
    this.offset = offset;
    this.diagnostics = diagnostics;
  }
}

function sentences({ message, suggestion }: PromptDiagnostic, between: string): string {
  return suggestion === undefined ? message : message + between + suggestion;
}
