/** What the operators' formulas have in common, on a CPU in float32. */
import { memoryAt } from "../src/runtime/native/c_api.ts";

/** The memory at an address. */
export function floats(address: bigint, count: number): Float32Array {
  return new Float32Array(memoryAt(address, count * Float32Array.BYTES_PER_ELEMENT));
}

/** x / √(mean(x²) + ε) · weight. */
export function rmsNorm(x: Float32Array, weight: Float32Array, epsilon: number): Float32Array {
  const squares = x.reduce((sum, value) => sum + value * value, 0);
  const scale = 1 / Math.sqrt(squares / x.length + epsilon);
  return x.map((value, index) => value * scale * weight[index]!);
}
