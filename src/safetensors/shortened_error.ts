import { SafetensorsError } from "./safetensors_error.ts";
import type { TensorEntry } from "./types.ts";

/** A file that became shorter after its header was read. */
export function shortenedError(
  { file, name }: Pick<TensorEntry, "file" | "name">,
): SafetensorsError {
  return new SafetensorsError({
    en: `${file} became shorter while it was read. Fetch it again.`,
    zh: `${file} 在读取期间变短了。请重新获取。`,
  }, { file, tensor: name });
}
