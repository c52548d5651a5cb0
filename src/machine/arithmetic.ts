/**
 * What the last bits of a picture depend on besides its settings and versions.
 *
 * @module
 */

/** Whose kernels a GPU may compute with. */
export const KERNELS = [
  "toolkit",
  "onnxruntime",
] as const satisfies readonly Arithmetic["kernels"][];

/** How a device rounds. */
export interface Arithmetic {
  /** The processor's widest instructions that ONNX Runtime uses, such as `AVX2`, or the GPU's name. */
  readonly processor: string;
  /**
   * On a CPU, a digest of one small computation: where it is the same, so are the bits of whatever
   * ONNX Runtime computes.
   */
  readonly fingerprint?: string;
  /** Whose kernels a GPU computed with. */
  readonly kernels?: "toolkit" | "onnxruntime";
}

/** Whether two round the same, as far as both say. */
export function sameArithmetic(one: Arithmetic, other: Arithmetic): boolean {
  return one.fingerprint !== undefined && other.fingerprint !== undefined
    ? one.fingerprint === other.fingerprint
    : one.processor === other.processor && one.kernels === other.kernels;
}
