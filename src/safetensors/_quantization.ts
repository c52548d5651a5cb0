/** Quantised matrices in safetensors files: how a file says that it has them. */
import { BITS_A_BYTE, isFloatDtype } from "./_dtypes.ts";
import { refusal } from "./_refusal.ts";
import { quote } from "../shown.ts";
import { showShape } from "./_show_shape.ts";
import type { Say } from "./_texts.ts";
import type { SafetensorsError } from "./safetensors_error.ts";
import type { OpaqueEntry, QuantizedBits, TensorEntry } from "./types.ts";

/**
 * The key of `__metadata__` that makes `U8` tensors [N, blocks, bytes of a block] quantised matrices;
 * its value says in how many bits.
 */
export const QUANTIZED_BITS_KEY = "quantized_bits";
/** What follows a quantised matrix's name in that of its scales [N, blocks]. */
export const SCALES_SUFFIX = ".scales";

/** ONNX Runtime's `MatMulNBits` takes no smaller blocks, and powers of two alone. */
const SMALLEST_BLOCK = 16;

/** In how many bits a file's matrices are quantised; absent where they are not. */
export function quantizedBits(
  metadata: Readonly<Record<string, string>>,
  source: string,
): QuantizedBits | undefined {
  const stated = metadata[QUANTIZED_BITS_KEY];
  if (stated === undefined) return undefined;
  if (stated === "4") return 4;
  if (stated === "8") return 8;
  throw refusal(source, (text) => text.unknownBits(QUANTIZED_BITS_KEY, quote(stated)));
}

/** The matrix that a `U8` tensor of a quantised file stands for, or why it stands for none. */
export function quantizedEntry(
  name: string,
  entries: ReadonlyMap<string, OpaqueEntry>,
  bits: QuantizedBits,
  source: string,
): TensorEntry | SafetensorsError {
  const { shape, file, offset, byteLength } = entries.get(name)!;
  const refuse = (problem: Say) =>
    refusal(source, (text) => text.ofMatrix(quote(name), bits, problem(text)), { tensor: name });
  const [rows, blocks, bytes] = shape;
  if (rows === undefined || blocks === undefined || bytes === undefined || shape.length !== 3) {
    return refuse((text) => text.matrixShape(showShape(shape)));
  }
  const blockSize = bytes * BITS_A_BYTE / bits;
  if (blockSize < SMALLEST_BLOCK || !Number.isInteger(Math.log2(blockSize))) {
    return refuse((text) => text.blockSize(blockSize, SMALLEST_BLOCK));
  }
  const scalesName = name + SCALES_SUFFIX;
  const scales = entries.get(scalesName);
  if (scales === undefined || !isFloatDtype(scales.dtype)) {
    return refuse((text) => text.scalesMissing(quote(scalesName)));
  }
  const { dtype } = scales;
  if (scales.shape.length !== 2 || scales.shape[0] !== rows || scales.shape[1] !== blocks) {
    const [expected, found] = [showShape([rows, blocks]), showShape(scales.shape)];
    return refuse((text) => text.scalesShape(expected, quote(scalesName), found));
  }
  return {
    name,
    dtype: "U8",
    shape: [rows, blocks * blockSize],
    file,
    offset,
    byteLength,
    quantization: { bits, blockSize, scales: { name: scalesName, ...scales, dtype } },
  };
}
