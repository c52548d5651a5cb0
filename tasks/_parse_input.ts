/** Where `deno task parse` has its prompt from. */
import { RequestError } from "../src/errors.ts";
import { texts } from "./_parse_texts.ts";

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
    throw new RequestError(texts.twoPrompts);
  }
  if (file !== undefined) return await readFile(file);
  if (argument !== undefined && argument !== "-") return await readArgument(argument);
  if (argument === undefined && Deno.stdin.isTerminal()) console.error(texts.typing);
  const bytes = await new Response(Deno.stdin.readable).bytes();
  return { text: decode(bytes, texts.input), source: texts.input };
}

/** A text, or with `@` before it the file that holds it. */
export async function readArgument(argument: string, name = texts.argument): Promise<Input> {
  // No prompt begins with @ and goes on without a space; faces such as @_@ are no files.
  const path = argument.slice(1);
  const isPath = argument.startsWith("@") && path !== "" && !/[\n,]/.test(path);
  if (!isPath || path === "_@") return { text: argument, source: name };
  return await readFile(path);
}

async function readFile(path: string): Promise<Input> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RequestError(texts.unreadable(path, reason), { cause });
  }
  return { text: decode(bytes, path), source: path };
}

/**
 * Text in UTF-8, or in UTF-16 with its mark, as some editors on Windows save it. The line end behind
 * the last line belongs to the file, not to the prompt.
 */
function decode(bytes: Uint8Array, source: string): string {
  const [first, second] = bytes;
  const encoding = first === 0xff && second === 0xfe
    ? "utf-16le"
    : first === 0xfe && second === 0xff
    ? "utf-16be"
    : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new RequestError(texts.notUtf8(source), { cause });
  }
}
