/** Adapters that a test writes: small values, whatever keys. */
import { join } from "node:path";
import { type TensorSource, writeSafetensors } from "../../src/safetensors/mod.ts";

/** A tensor of values that differ from each other and from other tensors' of the same shape. */
export function float32(
  name: string,
  shape: readonly number[],
  value?: (index: number) => number,
): TensorSource {
  const count = shape.reduce((product, extent) => product * extent, 1);
  const seed = [...name].reduce((sum, character) => sum * 31 + character.charCodeAt(0) | 0, 7);
  const values = Float32Array.from(
    { length: count },
    (_, index) => value?.(index) ?? Math.sin(seed + index) / 2,
  );
  return { name, dtype: "F32", shape, bytes: () => [new Uint8Array(values.buffer)] };
}

/** The two matrices of a LoRA, by the module's name and the ends of keys. */
export function lora(
  module: string,
  [out, columns]: readonly [number, number],
  { rank = 2, down = ".lora_down.weight", up = ".lora_up.weight" } = {},
): TensorSource[] {
  return [float32(module + down, [rank, columns]), float32(module + up, [out, rank])];
}

/** Writes them as an adapter's file. */
export async function writeAdapter(
  folder: string,
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<string> {
  const path = join(folder, "adapter.safetensors");
  await writeSafetensors(path, tensors, metadata);
  return path;
}
