/**
 * In which types each part of the arithmetic is done. Nothing else in the toolkit decides this.
 *
 * @module
 */
import type { FloatType } from "./types.ts";

/** The execution providers that graphs are written for. */
export type Device = "cpu" | "cuda";

/** The types of arithmetic on one device. */
export interface DtypePolicy {
  /** Matrix products, attention and what lies between them. */
  readonly compute: FloatType;
  /** Convolutions: ONNX Runtime's CUDA provider has none in bfloat16. */
  readonly convolution: FloatType;
}

/** Graph inputs and outputs: the JavaScript binding has no bfloat16. */
export const INTERFACE_TYPE = "float32";

/** CPU: float32 whatever the weights are. CUDA: bfloat16, with float16 for convolutions. */
export const DTYPE_POLICIES: Readonly<Record<Device, DtypePolicy>> = Object.freeze({
  cpu: { compute: "float32", convolution: "float32" },
  cuda: { compute: "bfloat16", convolution: "float16" },
});
