import type { PromptPosition } from "./xml_prompt_error.ts";

const START: PromptPosition = { line: 1, column: 1, offset: 0 };

/**
 * Line and column of an offset. Lines end with LF, CR LF or CR.
 *
 * @param from A known position before it, to save counting from the start.
 */
export function positionAt(
  text: string,
  offset: number,
  from: PromptPosition = START,
): PromptPosition {
  const lines = text.slice(from.offset, offset).split(/\r\n|[\n\r]/);
  const characters = Array.from(lines.at(-1)!).length;
  return lines.length === 1
    ? { line: from.line, column: from.column + characters, offset }
    : { line: from.line + lines.length - 1, column: characters + 1, offset };
}
