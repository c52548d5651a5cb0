import { type Tensor, tensor } from "../tensor.ts";
import { tapsOf } from "./_lanczos.ts";

/**
 * [B, C, H, W] of another height and width: each plane by itself, by Lanczos' filter of three lobes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { tensor } from "../tensor.ts";
 *
 * const flat = tensor(new Float32Array(2 * 3 * 3).fill(0.5), [1, 2, 3, 3]);
 * const { dims, data } = resizePlanes(flat, { height: 5, width: 4 });
 * assert.deepEqual(dims, [1, 2, 5, 4]);
 * assert(data.every((value) => Math.abs(value - 0.5) < 1e-6));
 * ```
 */
export function resizePlanes(
  { data, dims }: Tensor,
  size: { readonly height: number; readonly width: number },
): Tensor {
  const [batch, channels, height, width] = dims as [number, number, number, number];
  const [columns, rows] = [tapsOf(width, size.width), tapsOf(height, size.height)];
  const planes = batch * channels;
  const result = new Float32Array(planes * size.height * size.width);
  const wide = new Float64Array(height * size.width);
  for (let plane = 0; plane < planes; plane++) {
    const start = plane * height * width;
    for (let at = 0; at < wide.length; at++) {
      const { first, weights } = columns[at % size.width]!;
      const row = start + Math.floor(at / size.width) * width + first;
      wide[at] = weights.reduce((sum, weight, tap) => sum + weight * data[row + tap]!, 0);
    }
    for (let row = 0; row < size.height; row++) {
      const { first, weights } = rows[row]!;
      for (let column = 0; column < size.width; column++) {
        let sum = 0;
        for (let tap = 0; tap < weights.length; tap++) {
          sum += weights[tap]! * wide[(first + tap) * size.width + column]!;
        }
        result[(plane * size.height + row) * size.width + column] = sum;
      }
    }
  }
  return tensor(result, [batch, channels, size.height, size.width]);
}
