import { RequestError } from "../errors.ts";
import type { Texts } from "../language.ts";
import { reasonOf } from "../system_reason.ts";
import { textOfBytes } from "../text_of_bytes.ts";
import { readWhole, type ReadWholeOptions } from "../whole_file.ts";

/**
 * The text of a file in UTF-8, or in UTF-16 with its mark, as some editors on Windows save it. A byte
 * order mark is no text, and the line end behind the last line belongs to the file.
 *
 * @throws {RequestError} When it cannot be read, or is no such text.
 */
export async function readText(path: string, options?: ReadTextOptions): Promise<string> {
  return decodeText(await readBytes(path, options), path);
}

/** How to read what a person named, or not. */
export type ReadTextOptions = Pick<ReadWholeOptions, "mayBePipe">;

/**
 * The bytes of a file; a person may name a pipe, which others may not.
 *
 * @throws {RequestError} When it cannot be read.
 */
export async function readBytes(
  path: string,
  { mayBePipe = true }: ReadTextOptions = {},
): Promise<Uint8Array> {
  try {
    return await readWhole(path, { mayBePipe });
  } catch (cause) {
    throw unreadable(path, reasonOf(cause), cause);
  }
}

/**
 * The same for bytes that are there already.
 *
 * @param source What messages call them.
 * @throws {RequestError} When they are no such text.
 */
export function decodeText(bytes: Uint8Array, source: string): string {
  const text = textOfBytes(bytes);
  if (text !== undefined) return text.replace(/\r?\n$/, "");
  throw unreadable(source, {
    en: "it is neither UTF-8 nor UTF-16 text. Save it as UTF-8",
    zh: "它不是 UTF-8 或 UTF-16 文本。请另存为 UTF-8",
  });
}

function unreadable(source: string, reason: Texts<string>, cause?: unknown): RequestError {
  return new RequestError(`${source} cannot be read: ${reason.en}.`, {
    ...(cause === undefined ? {} : { cause }),
    zh: `无法读取 ${source}：${reason.zh}。`,
  });
}
