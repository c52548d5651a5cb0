/**
 * The only way by which tasks print lines. Texts of files and names may stand in them: whatever could
 * steer the terminal is made visible here, also where somebody forgot to do it before.
 */
import type { Message } from "../../src/errors.ts";
import { visible } from "../../src/shown.ts";

/** The colours that tasks use themselves, and tabs, which do no harm. */
// deno-lint-ignore no-control-regex
const OWN = /(\x1b\[(?:0|1|2|31|32|33|36|1;31|1;33)m|\t)/;

/** A line without anything that could steer the terminal but the tasks' own colours. */
export function printable(line: string): string {
  return line.split(OWN).map((part, index) => index % 2 === 1 ? part : visible(part)).join("");
}

/** Prints one line for each text on standard output: results. */
export function print(...messages: readonly Message[]): void {
  for (const line of messages.flat()) console.log(printable(line));
}

/** Prints one line for each text on standard error: what is told beside results. */
export function tell(...messages: readonly Message[]): void {
  for (const line of messages.flat()) console.error(printable(line));
}

/** Prints a value as JSON that no reader, and no terminal either, takes for anything else. */
export function printJson(value: unknown): void {
  const json = JSON.stringify(value);
  // Outside of texts, JSON has ASCII alone; in them an escape means the character itself.
  console.log(json.replace(/[^\x20-\x7e]+/gu, visible));
}
