import { RequestError } from "../errors.ts";

/** A place in a prompt. */
export interface PromptPosition {
  /** Counts from 1. */
  readonly line: number;
  /** Characters from the start of the line, counting from 1; a surrogate pair is one. */
  readonly column: number;
  /** UTF-16 units from the start of the prompt, counting from 0. */
  readonly offset: number;
}

/** An XML prompt breaks XML's rules, or a bound. The message begins with the place. */
export class XmlPromptError extends RequestError implements PromptPosition {
  override name = "XmlPromptError";
  readonly line: number;
  readonly column: number;
  readonly offset: number;

  constructor(message: string, position: PromptPosition) {
    super(`Line ${position.line}, column ${position.column} of the prompt: ${message}`);
    this.line = position.line;
    this.column = position.column;
    this.offset = position.offset;
  }
}
