/**
 * The only way by which tasks print lines. Texts of files and names may stand in them: whatever could
 * steer the terminal is made visible here, wherever it came from.
 */
import type { Message } from "../../src/errors.ts";
import { visible } from "../../src/shown.ts";

/** The colours that tasks use themselves, and tabs, which do no harm. */
// deno-lint-ignore no-control-regex
const OWN = /(\x1b\[(?:0|1|2|31|32|33|36|1;31|1;33)m|\t)/;

/** Lines with the tasks' own colours; whoever makes them has made foreign text visible already. */
export class Painted {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    this.lines = lines.map((line) =>
      line.split(OWN).map((part, index) => index % 2 === 1 ? part : visible(part)).join("")
    );
  }
}

/** Prints one line for each text on standard output: results. */
export function print(...messages: readonly (Message | Painted)[]): void {
  for (const line of messages.flatMap(linesOf)) console.log(line);
}

/** Prints one line for each text on standard error: what is told beside results. */
export function tell(...messages: readonly (Message | Painted)[]): void {
  for (const line of messages.flatMap(linesOf)) console.error(line);
}

function linesOf(message: Message | Painted): readonly string[] {
  return message instanceof Painted ? message.lines : [message].flat().map(visible);
}

/** Prints a value as JSON that no reader, and no terminal either, takes for anything else. */
export function printJson(value: unknown): void {
  const json = JSON.stringify(value);
  // Outside of texts, JSON has ASCII alone; in them an escape means the character itself.
  console.log(json.replace(/[^\x20-\x7e]+/gu, visible));
}
