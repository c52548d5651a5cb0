/** Where `deno task parse` has its prompt from. */
import { RequestError } from "../../src/errors.ts";
import { decodeText, readText } from "../../src/studio/read_text.ts";
import { both, texts } from "./texts.ts";
import { tell } from "../cli/print.ts";

/** A prompt, and what to call it. */
export interface Input {
  readonly text: string;
  readonly source: string;
}

/**
 * The prompt of a command line: its argument, a file, or standard input.
 *
 * @throws {RequestError} When there are two, or one cannot be read.
 */
export async function readInput(
  args: readonly string[],
  file: string | undefined,
): Promise<Input> {
  const [argument] = args;
  if (args.length > 1 || argument !== undefined && file !== undefined) {
    throw new RequestError(both((text) => text.twoPrompts));
  }
  if (file !== undefined) return await readFile(file);
  if (argument !== undefined && argument !== "-") return await readArgument(argument);
  if (argument === undefined && Deno.stdin.isTerminal()) tell(texts.typing);
  const bytes = await new Response(Deno.stdin.readable).bytes();
  return { text: decodeText(bytes, texts.input), source: texts.input };
}

/** A text, or with `@` before it the file that holds it. */
export async function readArgument(argument: string, name = texts.argument): Promise<Input> {
  const path = namedFile(argument);
  return path === undefined ? { text: argument, source: name } : await readFile(path);
}

/** The file that `@path` names. Faces such as `@_@` are no files, nor is what goes on like a list. */
export function namedFile(answer: string): string | undefined {
  const path = answer.trim().slice(1);
  const isPath = answer.startsWith("@") && path !== "" && path !== "_@" && !/[\n,]/.test(path);
  return isPath ? path : undefined;
}

async function readFile(path: string): Promise<Input> {
  return { text: await readText(path), source: path };
}
