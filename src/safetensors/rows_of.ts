import { elementCount } from "../tensor.ts";
import type { TensorEntry } from "./types.ts";

/**
 * Some rows of a tensor: the outermost axis is contiguous, so they are one run of bytes.
 *
 * @param entry The tensor, as `openWeights` found it.
 * @param rows From which row to before which.
 */
export function rowsOf(entry: TensorEntry, [from, to]: readonly [number, number]): TensorEntry {
  const [rows = 1, ...inner] = entry.shape;
  if (from === 0 && to === rows) return entry;
  const bytes = entry.byteLength / rows;
  const { scale } = entry;
  return {
    ...entry,
    ...(scale !== undefined && elementCount(scale.shape) > 1
      ? { scale: rowsOf(scale, [from, to]) }
      : {}),
    name: `${entry.name}[${from}:${to}]`,
    shape: [to - from, ...inner],
    offset: entry.offset + from * bytes,
    byteLength: (to - from) * bytes,
  };
}
