/** Reading stored tensors whole, and comparing values with a reference. */
import { RowReader, type TensorEntry } from "../src/safetensors/mod.ts";
import { type Tensor, tensor } from "../src/tensor.ts";

/** A stored tensor, as float32. */
export async function readTensor(entry: TensorEntry): Promise<Tensor> {
  const columns = entry.shape.at(-1) ?? 1;
  const rows = entry.shape.reduce((product, extent) => product * extent, 1) / columns;
  await using reader = await RowReader.open({ ...entry, shape: [rows, columns] });
  const data = await reader.read(Array.from({ length: rows }, (_, row) => row));
  return tensor(data, entry.shape);
}

/** ‖actual − expected‖ / ‖expected‖. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let index = 0; index < expected.length; index++) {
    difference += (actual[index]! - expected[index]!) ** 2;
    norm += expected[index]! ** 2;
  }
  return Math.sqrt(difference / norm);
}
