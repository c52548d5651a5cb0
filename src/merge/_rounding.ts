/** Rounding float32 to what a file stores. */
import type { FloatDtype } from "../safetensors/mod.ts";

const BFLOAT16_SHIFT = 16;

/**
 * The little-endian bytes of values in a dtype, each rounded to nearest, ties to even. Only finite
 * values are rounded rightly.
 */
export function storedBytes(values: Float32Array, dtype: FloatDtype): Uint8Array {
  const rounded = dtype === "F32"
    ? values
    : dtype === "F16"
    ? Float16Array.from(values)
    : bfloat16Bits(values);
  return new Uint8Array(rounded.buffer, rounded.byteOffset, rounded.byteLength);
}

/** The upper half of each float32, after adding just under half of what is cut off. */
function bfloat16Bits(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(words.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    halves[i] = (word + 0x7fff + ((word >>> BFLOAT16_SHIFT) & 1)) >>> BFLOAT16_SHIFT;
  }
  return halves;
}

/** The largest magnitude that rounds to a finite value. */
export function largestOf(dtype: FloatDtype): number {
  // Halfway to what would be the next one, and just below it.
  if (dtype === "F16") return 65_519.99609375;
  return dtype === "BF16" ? 3.3961775292304957e38 : 3.4028234663852886e38;
}
