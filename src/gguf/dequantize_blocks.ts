import { BLOCK_LAYOUTS, type BlockType } from "./blocks.ts";
import { unpackBlocks } from "./unpack_blocks.ts";

const { fround } = Math;

/**
 * The values of whole blocks, in float32 arithmetic in the order of gguf-py's `dequantize`, so that
 * they are equal to its values bit for bit.
 *
 * @param stored The blocks' bytes.
 * @param values Takes the values.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * // A block of Q8_0: the scale 0.5 in float16, then 32 signed bytes.
 * const stored = new Uint8Array(34);
 * stored.set([0x00, 0x38, 2, 0xff]);
 * const values = new Float32Array(32);
 * dequantizeBlocks("Q8_0", stored, values);
 * assert.deepEqual([...values.subarray(0, 3)], [1, -0.5, 0]);
 * ```
 */
export function dequantizeBlocks(
  type: BlockType,
  stored: Uint8Array,
  values: Float32Array,
): void {
  const { zero, scaleValues, hasMinima } = BLOCK_LAYOUTS[type];
  const { points, scales, minima } = unpackBlocks(type, stored);
  for (let run = 0; run < scales.length; run++) {
    const scale = scales[run]!;
    const minimum = minima[run]!;
    const end = (run + 1) * scaleValues;
    for (let i = run * scaleValues; i < end; i++) {
      const value = scale * (points[i]! - zero);
      values[i] = hasMinima ? fround(value) + minimum : value;
    }
  }
}
