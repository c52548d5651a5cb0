/** The tensors of adapter files: their shapes, parts of them, their values. */
import { readPart } from "../files.ts";
import { type OpaqueEntry, RowReader, type TensorEntry } from "../safetensors/mod.ts";
import { elementCount } from "../tensor.ts";

/** A matrix whose further extents are 1, as those of a 1×1 convolution, without them. */
export function asMatrix(entry: TensorEntry): TensorEntry {
  const { shape } = entry;
  if (shape.length <= 2 || shape.slice(2).some((extent) => extent !== 1)) return entry;
  return { ...entry, shape: shape.slice(0, 2) };
}

/** All values of a tensor in float32, row-major. */
export async function readValues(entry: TensorEntry): Promise<Float32Array> {
  const [rows = 1] = entry.shape;
  // A scale for each row, and a rotation of each, need the rows as they are.
  if (entry.scale !== undefined && rows > 0) {
    await using reader = await RowReader.open(entry);
    return await reader.read(Array.from({ length: rows }, (_, row) => row));
  }
  await using reader = await RowReader.open({ ...entry, shape: [1, elementCount(entry.shape)] });
  return await reader.read([0]);
}

/** How numbers of the dtypes that are no weights' are read, little-endian. */
const NUMBERS: Readonly<Record<string, (view: DataView) => number>> = {
  F64: (view) => view.getFloat64(0, true),
  I64: (view) => Number(view.getBigInt64(0, true)),
  U64: (view) => Number(view.getBigUint64(0, true)),
  I32: (view) => view.getInt32(0, true),
  U32: (view) => view.getUint32(0, true),
  I16: (view) => view.getInt16(0, true),
  U16: (view) => view.getUint16(0, true),
  I8: (view) => view.getInt8(0),
  U8: (view) => view.getUint8(0),
};

/** The one value of a tensor; undefined where it has more, or none, or is no number. */
export async function readNumber(entry: TensorEntry | OpaqueEntry): Promise<number | undefined> {
  if (elementCount(entry.shape) !== 1) return undefined;
  const read = NUMBERS[entry.dtype];
  if (read === undefined) {
    return "name" in entry ? (await readValues(entry))[0] : undefined;
  }
  using file = await Deno.open(entry.file);
  const bytes = await readPart(file, entry.offset, entry.byteLength);
  return bytes.length < entry.byteLength ? undefined : read(new DataView(bytes.buffer));
}
