/** Where `deno task parse` has its prompt from. */
import { RequestError } from "../../src/errors.ts";
import {
  type Input,
  readArgument,
  readPromptFile,
  readStandardInput,
} from "../cli/prompt_input.ts";
import { both, texts } from "./texts.ts";

/**
 * The prompt of a command line: its argument, a file, or standard input.
 *
 * @throws {RequestError} When there are two, or one cannot be read.
 */
export async function readInput(
  args: readonly string[],
  { prompt, promptFile }: { readonly prompt?: string; readonly promptFile?: string },
): Promise<Input> {
  const given = [...args, ...(prompt === undefined ? [] : [prompt])];
  const [argument] = given;
  if (given.length > 1 || argument !== undefined && promptFile !== undefined) {
    throw new RequestError(both((text) => text.twoPrompts));
  }
  if (promptFile !== undefined) return await readPromptFile(promptFile);
  return argument === undefined
    ? await readStandardInput()
    : await readArgument(argument, texts.argument);
}
