/**
 * The only way by which tasks print lines. Texts of files and names may stand in them: whatever could
 * steer the terminal is made visible here, wherever it came from.
 */
import { type Message, NewBieError } from "../../src/errors.ts";
import { visible } from "../../src/shown.ts";
import { reasonOf } from "../../src/system_reason.ts";

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

/**
 * Prints one line for each text on standard output: results.
 *
 * @throws {NewBieError} When it takes none, such as a file on a full disk.
 */
export function print(...messages: readonly (Message | Painted)[]): void {
  for (const line of messages.flatMap(linesOf)) printLine(line);
}

/**
 * Prints one line for each text on standard error: what is told beside results. Where that takes none,
 * there is nobody to tell.
 */
export function tell(...messages: readonly (Message | Painted)[]): void {
  for (const line of messages.flatMap(linesOf)) {
    try {
      console.error(line);
    } catch {
      return;
    }
  }
}

/** Draws on standard error as it is, over what stands there; where that takes nothing, nobody looks. */
export function draw(text: string): void {
  try {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  } catch {
    // The terminal was closed.
  }
}

function printLine(line: string): void {
  try {
    console.log(line);
  } catch (cause) {
    const { en, zh } = reasonOf(cause);
    throw new NewBieError({
      en: `What is printed does not reach its place (standard output): ${en}.`,
      zh: `输出内容无法写到标准输出：${zh}。`,
    }, { cause });
  }
}

function linesOf(message: Message | Painted): readonly string[] {
  return message instanceof Painted ? message.lines : [message].flat().map(visible);
}

/**
 * Prints a value as JSON that no reader, and no terminal either, takes for anything else.
 *
 * @throws {NewBieError} As {@linkcode print} does.
 */
export function printJson(value: unknown): void {
  const json = JSON.stringify(value);
  // Outside of texts, JSON has ASCII alone; in them an escape means the character itself.
  printLine(json.replace(/[^\x20-\x7e]+/gu, visible));
}
