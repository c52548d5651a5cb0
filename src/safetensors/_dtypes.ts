/** The dtypes of the safetensors format. */
import { BLOCK_LAYOUTS, isBlockType } from "../gguf/mod.ts";
import type { ByteDtype, FloatDtype, WeightDtype } from "./types.ts";

/** Bits a value takes, for every dtype that safetensors 0.8 writes. */
export const DTYPE_BITS: ReadonlyMap<string, number> = new Map([
  ["F4", 4],
  ["F6_E2M3", 6],
  ["F6_E3M2", 6],
  ["BOOL", 8],
  ["U8", 8],
  ["I8", 8],
  ["F8_E4M3", 8],
  ["F8_E4M3FNUZ", 8],
  ["F8_E5M2", 8],
  ["F8_E5M2FNUZ", 8],
  ["F8_E8M0", 8],
  ["I16", 16],
  ["U16", 16],
  ["F16", 16],
  ["BF16", 16],
  ["I32", 32],
  ["U32", 32],
  ["F32", 32],
  ["I64", 64],
  ["U64", 64],
  ["F64", 64],
  ["C64", 64],
]);

export const BITS_A_BYTE = 8;

/** Bytes that a weight takes, a value; of blocks, in the mean. */
export function bytesPerValue(dtype: WeightDtype): number {
  if (!isBlockType(dtype)) return DTYPE_BITS.get(dtype)! / BITS_A_BYTE;
  const { bytes, values } = BLOCK_LAYOUTS[dtype];
  return bytes / values;
}

/** Whether the values are numbers that stand as they are. */
export function isFloatDtype(dtype: string): dtype is FloatDtype {
  return dtype === "F32" || dtype === "F16" || dtype === "BF16";
}

/** Whether the values are numbers of one byte. */
export function isByteDtype(dtype: string): dtype is ByteDtype {
  return dtype === "F8_E4M3" || dtype === "F8_E5M2" || dtype === "I8";
}
