/** Opening and reading files whose size and kind nobody vouches for. */
import { refusal } from "./_refusal.ts";
import { reasonOf } from "../system_reason.ts";
import { TEXTS } from "./_texts.ts";
import { SafetensorsError } from "./safetensors_error.ts";

/** Wraps what the operating system said about a file. */
export function unreadable(source: string, cause: unknown): SafetensorsError {
  const reason = reasonOf(cause);
  return new SafetensorsError({
    en: `${source}: ${TEXTS.en.unreadable(reason.en)}`,
    zh: `${source}：${TEXTS.zh.unreadable(reason.zh)}`,
  }, { file: source, cause });
}

const CHUNK_BYTES = 1 << 20;

/**
 * Reads JSON text of a known length from where `file` stands. It goes in pieces and stops at the
 * first byte that no JSON text holds: a large hole in a sparse file costs its author nothing, so it
 * must cost the reader nothing either (the buffer takes memory only where it was written).
 */
export async function readJsonBytes(
  file: Deno.FsFile,
  length: number,
  source: string,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const chunk = bytes.subarray(filled, Math.min(filled + CHUNK_BYTES, length));
    const count = await file.read(chunk);
    if (count === null) {
      throw refusal(source, (text) => text.becameShorter);
    }
    const wrong = chunk.subarray(0, count).indexOf(0);
    if (wrong >= 0) {
      const place = filled + wrong;
      throw refusal(source, (text) => text.zeroByte(place));
    }
    filled += count;
  }
  return bytes;
}

/** Opens a regular file (a pipe would make the reader wait for ever) and says how long it is. */
export async function openFile(source: string): Promise<{ file: Deno.FsFile; size: number }> {
  let opened: Deno.FsFile | undefined;
  try {
    if (!(await Deno.stat(source)).isFile) {
      throw refusal(source, (text) => text.notAFile);
    }
    opened = await Deno.open(source);
    return { file: opened, size: (await opened.stat()).size };
  } catch (error) {
    opened?.close();
    throw error instanceof SafetensorsError ? error : unreadable(source, error);
  }
}
