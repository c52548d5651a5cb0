/**
 * Reads the text `parameters` that AUTOMATIC1111's web UI began: the prompt, a line
 * `Negative prompt: …`, and a last line of `name: value` with commas between.
 *
 * Form: `parse_generation_parameters` in modules/infotext_utils.py of
 * AUTOMATIC1111/stable-diffusion-webui. That reader is a regular expression which takes quadratic
 * time of a long word; this one goes once through the text.
 *
 * @module
 */

const NEGATIVE_PROMPT = "Negative prompt:";
const TEMPLATE = /^(?:Negative )?Template:/;

/** With fewer, the last line is part of the prompt. */
const FEWEST_PARAMETERS = 3;

/** A name has two characters at least, and so few at most. */
const LONGEST_NAME = 100;

/** A name and its value. */
export type Parameter = readonly [name: string, value: string];

/** What a text in that form says. */
export interface Parameters {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** What stands in the last line, in its order. */
  readonly others: readonly Parameter[];
}

/**
 * Takes such a text apart. Where the last line is no list of parameters, all of it is prompts.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const text = '1girl\nNegative prompt: bad\nSteps: 9, Note: "a, b", Size: 512x768';
 * const { prompt, negativePrompt, others } = readParameters(text);
 * assert.deepEqual([prompt, negativePrompt], ["1girl", "bad"]);
 * assert.deepEqual(others, [["Steps", "9"], ["Note", "a, b"], ["Size", "512x768"]]);
 * ```
 */
export function readParameters(text: string): Parameters {
  const all = text.trim().split("\n").map((line) => line.trim());
  // The extension dynamicprompts wrote its templates, of any number of lines, below the others.
  const end = all.findIndex((line, index) =>
    TEMPLATE.test(line) && /^Steps: \d/.test(all[index - 1] ?? "")
  );
  const lines = end < 0 ? all : all.slice(0, end);
  const found = parametersOf(lines.at(-1)!);
  const hasParameters = found.length >= FEWEST_PARAMETERS;
  const prompts = hasParameters ? lines.slice(0, -1) : lines;
  const place = prompts.findIndex((line) => line.startsWith(NEGATIVE_PROMPT));
  const behind = place < 0 ? prompts.length : place;
  return {
    prompt: prompts.slice(0, behind).join("\n"),
    negativePrompt: prompts.slice(behind).join("\n").slice(NEGATIVE_PROMPT.length).trim(),
    others: hasParameters ? found : [],
  };
}

/** The parameters of a line. A comma ends a value, but not in quotes or in JSON's brackets. */
function parametersOf(line: string): Parameter[] {
  const found: Parameter[] = [];
  // What is opened and never closed is looked for once: the rest of the line has commas alone.
  let canNest = true;
  let at = 0;
  for (let colon = line.indexOf(":"); colon >= 0; colon = line.indexOf(":", at)) {
    const name = nameBefore(line, at, colon);
    at = colon + 1;
    if (name === undefined) continue;
    while (line[at] === " ") at++;
    const nested: number | undefined = canNest ? nestedEnd(line, at) : undefined;
    canNest &&= nested !== undefined;
    const comma = line.indexOf(",", at);
    const end = nested ?? (comma < 0 ? line.length : comma);
    found.push([name, unquoted(line.slice(at, end).trimEnd())]);
    at = end + 1;
  }
  return found;
}

/** The letters, digits, spaces, `-`, `_` and `/` in front of a colon. */
function nameBefore(line: string, from: number, colon: number): string | undefined {
  let start = colon;
  const first = Math.max(from, colon - LONGEST_NAME);
  while (start > first && /[\p{L}\p{N}_ /-]/u.test(line[start - 1]!)) start--;
  const name = line.slice(start, colon).replace(/^[ /-]+/, "");
  return name.length >= 2 ? name : undefined;
}

const CLOSINGS: Readonly<Record<string, string>> = { "{": "}", "[": "]" };

/**
 * Where the value that begins at a place ends, by its quotes and brackets; undefined when one of them
 * is never closed.
 */
function nestedEnd(line: string, start: number): number | undefined {
  const open: string[] = [];
  let isQuoted = false;
  for (let at = start; at < line.length; at++) {
    const character = line[at]!;
    if (isQuoted) {
      if (character === "\\") at++;
      else if (character === '"') isQuoted = false;
    } else if (character === '"' && (at === start || open.length > 0)) isQuoted = true;
    else if (Object.hasOwn(CLOSINGS, character) && (at === start || open.length > 0)) {
      open.push(CLOSINGS[character]!);
    } else if (character === open.at(-1)) open.pop();
    else if (character === "," && open.length === 0) return at;
  }
  return isQuoted || open.length > 0 ? undefined : line.length;
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}
