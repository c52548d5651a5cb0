/** Where a prompt comes from: itself, a file, or the standard input. */
import { RequestError } from "../../src/errors.ts";
import { decodeText, readText } from "../../src/studio/read_text.ts";
import { catalogue } from "./language.ts";
import { tell } from "./print.ts";

const { text, both } = catalogue({
  en: {
    typing: "Type or paste the prompt; Ctrl-D in a line of its own ends it.",
    input: "standard input",
    twice: "The standard input holds one text: give - only once.",
  },
  zh: {
    typing: "请输入或粘贴提示词；在单独一行按 Ctrl-D 结束。",
    input: "标准输入",
    twice: "标准输入只有一份文字：请只使用一次 -。",
  },
});

/** A prompt, and what to call it. */
export interface Input {
  readonly text: string;
  readonly source: string;
}

/** What stands for the standard input. */
export const STANDARD_INPUT = "-";

/**
 * What an argument says: a text, with `@` before it the file that holds it, or with `-` the standard
 * input.
 *
 * @param name What to call a text that is the argument itself.
 * @throws {RequestError} When a file cannot be read.
 */
export async function readArgument(argument: string, name: string): Promise<Input> {
  const path = argument.trim() === STANDARD_INPUT ? STANDARD_INPUT : namedFile(argument);
  return path === undefined ? { text: argument, source: name } : await readPromptFile(path);
}

/**
 * The text of a file, or with `-` for its path the standard input.
 *
 * @throws {RequestError} When it cannot be read.
 */
export async function readPromptFile(path: string): Promise<Input> {
  return path === STANDARD_INPUT
    ? await readStandardInput()
    : { text: await readText(path), source: path };
}

let isRead = false;

/**
 * All of the standard input.
 *
 * @throws {RequestError} When it was read before, or is no text.
 */
export async function readStandardInput(): Promise<Input> {
  if (isRead) throw new RequestError(both((text) => text.twice));
  isRead = true;
  if (Deno.stdin.isTerminal()) tell(text.typing);
  const bytes = await new Response(Deno.stdin.readable).bytes();
  return { text: decodeText(bytes, text.input), source: text.input };
}

/** The file that `@path` names. Faces such as `@_@` are no files, nor is what goes on like a list. */
export function namedFile(answer: string): string | undefined {
  const path = answer.trim().slice(1);
  const isPath = answer.startsWith("@") && path !== "" && path !== "_@" && !/[\n,]/.test(path);
  return isPath ? path : undefined;
}
