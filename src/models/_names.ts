import type { NameInFile } from "../onnx/mod.ts";
import type { Weights } from "../safetensors/mod.ts";

/**
 * Checkpoints of one architecture differ in what they put before each name. Finds the prefix under
 * which a tensor that every checkpoint has stands in this one; the first prefix when none does.
 */
export function prefixInFile(
  weights: Weights,
  probe: string,
  prefixes: readonly [string, ...string[]],
): NameInFile {
  const prefix = prefixes.find((prefix) => weights.tensors.has(prefix + probe)) ?? prefixes[0];
  return (name) => prefix + name;
}
