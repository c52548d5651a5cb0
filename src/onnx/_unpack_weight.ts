/** Makes one weight of a graph in memory: see {@linkcode weightsInMemory}. */
import { fillFrom } from "../files.ts";
import { BLOCK_LAYOUTS, dequantizeBlocks, unpackBlocks, type Unpacked } from "../gguf/mod.ts";
import { shortenedError, type TensorEntry } from "../safetensors/mod.ts";
import { encodeFloats } from "./_encode_floats.ts";
import { type BlockEntry, isBlockEntry, type MemoryWeight, type UnpackedForm } from "./graph.ts";
import type { FloatType } from "./types.ts";

/** The bytes of initializers, by their names. */
export type InitializerBytes = Readonly<Record<string, Uint8Array<ArrayBuffer>>>;

/** Bytes that are read and unpacked at a time, about. */
const BYTES_AT_ONCE = 1 << 20;

/**
 * Reads a tensor, a megabyte of its file at a time, and makes its initializers.
 *
 * @throws {SafetensorsError} When the file became shorter.
 * @throws {RangeError} When the tensor begins or ends within a byte or a block.
 */
export async function unpackWeight(
  { entry, initializers }: MemoryWeight,
): Promise<InitializerBytes> {
  const places = initializers.map(({ name, form, type }) => {
    const length = isBlockEntry(entry) && form !== "stored"
      ? byteLengthOf(entry, form, type)
      : entry.byteLength;
    return { name, form, type, bytes: new Uint8Array(length), filled: 0 };
  });
  const wanted = new Set(places.map(({ form }) => form));
  for await (const stored of piecesOf(entry)) {
    const forms: Forms = isBlockEntry(entry) ? formsOf(entry, stored, wanted) : {};
    for (const place of places) {
      const bytes = forms[place.form]?.(place.type as FloatType) ?? stored;
      place.bytes.set(bytes, place.filled);
      place.filled += bytes.length;
    }
  }
  return Object.fromEntries(places.map(({ name, bytes }) => [name, bytes]));
}

/** The tensor's bytes, whole blocks at a time. */
async function* piecesOf(entry: TensorEntry): AsyncGenerator<Uint8Array> {
  const blockBytes = isBlockEntry(entry) ? BLOCK_LAYOUTS[entry.dtype].bytes : 1;
  const { name, dtype, offset, byteLength } = entry;
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(byteLength / blockBytes)) {
    throw new RangeError(
      `${name} cannot be read: ${byteLength} bytes at ${offset} are no whole run of ${dtype}, ` +
        `of which each takes ${blockBytes}.`,
    );
  }
  const most = Math.max(1, Math.floor(BYTES_AT_ONCE / blockBytes)) * blockBytes;
  const buffer = new Uint8Array(Math.min(most, entry.byteLength));
  using file = await Deno.open(entry.file);
  await file.seek(entry.offset, Deno.SeekMode.Start);
  for (let left = entry.byteLength; left > 0;) {
    const piece = buffer.subarray(0, Math.min(buffer.length, left));
    if (await fillFrom(file, piece) < piece.length) throw shortenedError(entry);
    yield piece;
    left -= piece.length;
  }
}

type Forms = Readonly<Partial<Record<UnpackedForm | "stored", (type: FloatType) => Uint8Array>>>;

function formsOf(
  { dtype }: BlockEntry,
  stored: Uint8Array,
  wanted: ReadonlySet<UnpackedForm | "stored">,
): Forms {
  const { values: blockValues, bytes, zero, middle, bits } = BLOCK_LAYOUTS[dtype];
  if (wanted.has("values")) {
    const values = new Float32Array(stored.length / bytes * blockValues);
    dequantizeBlocks(dtype, stored, values);
    return { values: (type) => encodeFloats(values, type) };
  }
  const { points, scales, minima } = unpackBlocks(dtype, stored);
  // A value is scale · (point − middle) + offset.
  const offsets = () => scales.map((scale, i) => minima[i]! + scale * (middle - zero));
  // Small zeros are more exact in 16 bits: beside them points stay as they are.
  const zeros = wanted.has("zeros") ? zerosOf({ points, scales }, offsets(), middle) : undefined;
  const shift = zeros === undefined ? (bits === 4 ? 8 : 128) - middle : 0;
  return {
    points: () => bits === 4 ? packedNibbles(points, shift) : shifted(points, shift),
    scales: (type) => encodeFloats(scales, type),
    offsets: (type) => encodeFloats(offsets(), type),
    ...(zeros === undefined ? {} : { zeros: (type) => encodeFloats(zeros, type) }),
  };
}

/** Beyond so many scales from 0, what is between the values of a run is less than their rounding. */
const FARTHEST_ZERO = 2048;

/**
 * The points that stand for 0, run by run: a value is scale · (point − zero). Where there is no such
 * point, as in a run of equal values that are not 0, the run's scale and points are changed so that
 * there is one.
 */
function zerosOf(
  { points, scales }: Pick<Unpacked, "points" | "scales">,
  offsets: Float32Array,
  middle: number,
): Float32Array {
  const run = points.length / scales.length;
  return offsets.map((offset, i) => {
    const scale = scales[i]!;
    if (Math.abs(offset) <= FARTHEST_ZERO * Math.abs(scale)) {
      return scale === 0 ? middle : middle - offset / scale;
    }
    points.fill(middle, i * run, (i + 1) * run);
    scales[i] = offset;
    return middle - 1;
  });
}

/** Points from 0 to 15 after a shift, two to a byte, the first of them in its lower bits. */
function packedNibbles(points: Uint8Array, shift: number): Uint8Array {
  const packed = new Uint8Array(points.length / 2);
  for (let i = 0; i < packed.length; i++) {
    packed[i] = points[2 * i]! + shift | points[2 * i + 1]! + shift << 4;
  }
  return packed;
}

function shifted(points: Uint8Array, shift: number): Uint8Array {
  if (shift === 0) return points;
  const moved = new Uint8Array(points.length);
  for (let i = 0; i < points.length; i++) moved[i] = points[i]! + shift;
  return moved;
}

function byteLengthOf(
  { dtype, byteLength }: BlockEntry,
  form: UnpackedForm,
  type: FloatType | "uint8",
): number {
  const { values, bytes, bits, scaleValues } = BLOCK_LAYOUTS[dtype];
  const count = byteLength / bytes * values;
  if (form === "points") return count * bits / 8;
  const width = type === "float32" ? 4 : 2;
  return form === "values" ? count * width : count / scaleValues * width;
}
