import type { FloatType } from "./types.ts";

/** Little-endian bytes of the values in a floating-point type, rounded to nearest, ties to even. */
export function encodeFloats(values: readonly number[], type: FloatType): Uint8Array {
  const width = type === "float32" ? 4 : 2;
  const view = new DataView(new ArrayBuffer(values.length * width));
  values.forEach((value, index) => {
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
