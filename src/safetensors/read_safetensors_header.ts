import { readPart } from "../files.ts";
import { noteForeignQuantization } from "./_foreign_quantization.ts";
import { openFile, readJsonBytes, unreadable } from "./_files.ts";
import { parseHeader, parsePrefix, PREFIX_BYTES } from "./header.ts";
import { applyFormats, layerFormats } from "./_scales.ts";
import { refusal } from "./_refusal.ts";
import { SafetensorsError } from "./safetensors_error.ts";
import type { OpaqueEntry, OpenWeightsOptions, Weights } from "./types.ts";

/**
 * Reads the header of one safetensors file: names, dtypes, shapes and places of its tensors. The
 * data stays on disk.
 *
 * The file is taken to be hostile. What the header says is checked against itself and against the
 * file's size before anything is returned: every byte after the header belongs to exactly one
 * tensor, and every tensor has the bytes that its dtype and shape ask for. The format is described
 * in the README of huggingface/safetensors; where the text and the reference implementation differ
 * (a header that does not begin with `{`, equal names, unknown fields), the stricter one holds.
 *
 * @param path The file.
 * @param options Which tensors may stand in the file without being weights.
 * @returns What the file holds, in the header's order.
 * @throws {SafetensorsError} When the file cannot be read or is not a well-formed safetensors file. A
 * tensor that is neither `F32`, `F16`, `BF16`, `F8_E4M3` nor `F8_E5M2`, nor `I8` with a scale, nor, in
 * a file whose metadata says so, a quantised matrix in `U8`, does no harm until it is asked for:
 * `unusable` has what is wrong with it.
 *
 * @example
 * ```ts
 * // One scalar in float32, written by hand.
 * const header = new TextEncoder().encode('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}');
 * const bytes = new Uint8Array(8 + header.length + 4);
 * bytes[0] = header.length;
 * bytes.set(header, 8);
 * const path = await Deno.makeTempFile({ suffix: ".safetensors" });
 * await Deno.writeFile(path, bytes);
 *
 * const weights = await readSafetensorsHeader(path);
 * console.log(weights.tensors.get("a")?.offset); // 8 + header.length
 * await Deno.remove(path);
 * ```
 */
export async function readSafetensorsHeader(
  path: string,
  options: OpenWeightsOptions = {},
): Promise<Weights> {
  const { file: handle, size } = await openFile(path);
  using file = handle;
  try {
    const prefix = await readPart(file, 0, PREFIX_BYTES);
    const length = parsePrefix(prefix, size, path);
    const bytes = await readJsonBytes(file, length, path);
    const realPath = await Deno.realPath(path);
    const opaque = new Set(options.opaque);
    const header = parseHeader(bytes, size, { source: path, file: realPath, opaque });
    const read = (entry: OpaqueEntry) => readBytes(file, entry, path);
    applyFormats(layerFormats(header.metadata, header.opaque, read), header, path);
    noteForeignQuantization(header, path);
    return { source: path, files: [realPath], paths: [path], ...header };
  } catch (error) {
    throw error instanceof SafetensorsError ? error : unreadable(path, error);
  }
}

/** The bytes of a small tensor. */
function readBytes(file: Deno.FsFile, entry: OpaqueEntry, source: string): Uint8Array {
  const bytes = new Uint8Array(entry.byteLength);
  file.seekSync(entry.offset, Deno.SeekMode.Start);
  for (let filled = 0; filled < bytes.length;) {
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) throw refusal(source, (text) => text.becameShorter);
    filled += count;
  }
  return bytes;
}
