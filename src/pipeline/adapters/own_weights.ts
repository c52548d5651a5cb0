import { adaptablePart } from "../../adapters/mod.ts";
import { readPart } from "../../files.ts";
import type { ModelFamily, PartName } from "../../families/mod.ts";
import {
  type Quantization,
  RowReader,
  type TensorEntry,
  type Weights,
} from "../../safetensors/mod.ts";
import { elementCount } from "../../tensor.ts";
import type { OwnWeights } from "./part_adapters.ts";

/** What adapters may change of a part, and its values; undefined where they change nothing. */
export function ownWeights(
  { networks }: ModelFamily,
  part: PartName,
  weights: Weights,
): OwnWeights | undefined {
  const adaptable = adaptablePart(networks[part], weights);
  const naming = networks[part].names(weights);
  if (adaptable === undefined || naming === undefined) return undefined;
  return {
    adaptable,
    read: (tensor) => readFloats(weights.tensors.get(naming.nameInFile(tensor))!),
  };
}

/** All values of a tensor in float32, row-major; those of a quantised one as its products have them. */
async function readFloats(entry: TensorEntry): Promise<Float32Array> {
  const { quantization, shape } = entry;
  if (quantization !== undefined) return await dequantized(entry, quantization);
  if (shape.length < 2) {
    await using reader = await RowReader.open({ ...entry, shape: [1, elementCount(shape)] });
    return await reader.read([0]);
  }
  // Row by row: a scale or a rotation is each row's own.
  await using reader = await RowReader.open(entry);
  return await reader.read(Array.from({ length: reader.rowCount }, (_, row) => row));
}

async function dequantized(
  { file, offset, byteLength, shape }: TensorEntry,
  { bits, blockSize, scales: scalesEntry }: Quantization,
): Promise<Float32Array> {
  using opened = await Deno.open(file);
  const packed = await readPart(opened, offset, byteLength);
  if (packed.length < byteLength) throw new RangeError(`${file} ends before its tensors do.`);
  const scales = await readFloats(scalesEntry);
  const values = new Float32Array(elementCount(shape));
  const middle = 2 ** (bits - 1);
  for (let index = 0; index < values.length; index++) {
    const stored = bits === 8 ? packed[index]! : packed[index >> 1]! >> 4 * (index & 1) & 0xf;
    values[index] = (stored - middle) * scales[Math.floor(index / blockSize)]!;
  }
  return values;
}
