import { refusal } from "./_refusal.ts";
import type { OpaqueEntry, WeightDtype } from "./types.ts";
import type { TensorSource } from "./write_safetensors.ts";

const BYTES_AT_ONCE = 1 << 22;

/**
 * A stored tensor as a source for another file: its bytes as they are, a few megabytes at a time.
 *
 * @param entry The tensor, a weight or not, with its name.
 * @returns What `writeSafetensors` takes. Its bytes are a {@linkcode SafetensorsError} where the file
 *   became shorter.
 */
export function copiedTensor(entry: OpaqueEntry & { readonly name: string }): TensorSource {
  const { name, shape, file: path, offset, byteLength } = entry;
  return {
    name,
    // What the header says is copied as it is, tokenizers stored as bytes included.
    dtype: entry.dtype as WeightDtype,
    shape,
    bytes: async function* () {
      using file = await Deno.open(path);
      await file.seek(offset, Deno.SeekMode.Start);
      const buffer = new Uint8Array(Math.min(BYTES_AT_ONCE, byteLength));
      for (let left = byteLength; left > 0;) {
        const count = await file.read(buffer.subarray(0, Math.min(buffer.length, left)));
        if (count === null) throw refusal(path, (text) => text.becameShorter, { tensor: name });
        yield buffer.subarray(0, count);
        left -= count;
      }
    },
  };
}
