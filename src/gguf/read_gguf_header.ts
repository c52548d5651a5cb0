import { reasonOf } from "../system_reason.ts";
import { refusal } from "./_refusal.ts";
import { GgufError } from "./gguf_error.ts";
import { parseGgufHeader } from "./parse_gguf_header.ts";
import { TEXTS } from "./_texts.ts";
import type { GgufHeader } from "./types.ts";

/**
 * Reads what stands in front of a GGUF file's data: its metadata, and where each tensor lies. The
 * data stays on disk. The file is taken to be hostile (see {@linkcode parseGgufHeader}).
 *
 * @throws {GgufError} When the file cannot be read or is not a well-formed GGUF file.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { writeGguf } from "./write_gguf.ts";
 *
 * const path = await Deno.makeTempFile({ suffix: ".gguf" });
 * await writeGguf(path, [{
 *   name: "one",
 *   type: "F32",
 *   shape: [1, 2],
 *   bytes: () => [new Uint8Array(Float32Array.of(1, 2).buffer)],
 * }], { "general.architecture": "lumina2" });
 *
 * const { metadata, tensors } = await readGgufHeader(path);
 * assert.equal(metadata.get("general.architecture"), "lumina2");
 * assert.deepEqual(tensors[0]?.shape, [1, 2]);
 * await Deno.remove(path);
 * ```
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  try {
    // Of a pipe one would read for ever.
    if (!(await Deno.stat(path)).isFile) throw refusal(path, (text) => text.notAFile);
    using file = await Deno.open(path);
    const { size } = await file.stat();
    return parseGgufHeader({
      size,
      read(place, into) {
        file.seekSync(place, Deno.SeekMode.Start);
        return file.readSync(into) ?? 0;
      },
    }, path);
  } catch (cause) {
    if (cause instanceof GgufError) throw cause;
    const reason = reasonOf(cause);
    throw new GgufError({
      en: `${path}: ${TEXTS.en.unreadable(reason.en)}`,
      zh: `${path}：${TEXTS.zh.unreadable(reason.zh)}`,
    }, { file: path, cause });
  }
}
