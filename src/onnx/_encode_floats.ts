import type { FloatType } from "./types.ts";

/** Little-endian bytes of the values in a floating-point type, rounded to nearest, ties to even. */
export function encodeFloats(
  values: ArrayLike<number>,
  type: FloatType,
): Uint8Array<ArrayBuffer> {
  if (values instanceof Float32Array) return encodeMany(values, type);
  const width = type === "float32" ? 4 : 2;
  const view = new DataView(new ArrayBuffer(values.length * width));
  Array.from(values).forEach((value, index) => {
    if (type === "float32") view.setFloat32(index * width, value, true);
    else if (type === "float16") view.setFloat16(index * width, value, true);
    else view.setUint16(index * width, bfloat16Bits(value), true);
  });
  return new Uint8Array(view.buffer);
}

/** The upper half of the float32, after adding just under half of what is cut off. */
function bfloat16Bits(value: number): number {
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, value);
  const float32 = bits.getUint32(0);
  const tieToEven = (float32 >>> 16) & 1;
  return (float32 + 0x7fff + tieToEven) >>> 16;
}

/** The same of whole matrices: a view of each value's bits takes ten times as long. */
function encodeMany(values: Float32Array, type: FloatType): Uint8Array<ArrayBuffer> {
  if (type === "float32") return new Uint8Array(values.slice().buffer);
  if (type === "float16") return new Uint8Array(new Float16Array(values).buffer);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const upper = new Uint16Array(values.length);
  for (let index = 0; index < bits.length; index++) {
    const float32 = bits[index]!;
    upper[index] = (float32 + 0x7fff + ((float32 >>> 16) & 1)) >>> 16;
  }
  return new Uint8Array(upper.buffer);
}
