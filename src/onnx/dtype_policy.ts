/**
 * In which types each part of the arithmetic is done. Nothing else in the toolkit decides this.
 *
 * @module
 */
import type { FloatType } from "./types.ts";

/** The execution providers that graphs are written for. */
export type Device = "cpu" | "cuda";

/** What graphs are written for: a device, and the types of arithmetic on it. */
export interface DtypePolicy {
  /** Whose kernels the graphs are to use: where several operators compute the same, the fastest. */
  readonly device: Device;
  /** The transformer: matrix products, attention and what lies between them. */
  readonly compute: FloatType;
  /** The same of the text encoders. */
  readonly text: FloatType;
  /** Convolutions: ONNX Runtime's CUDA provider has none in bfloat16. */
  readonly convolution: FloatType;
  /** Whether the transformer may have the project's own operators (src/kernels). */
  readonly ownOperators?: boolean;
}

/** The types of arithmetic that a person can ask for. */
export type Dtype = FloatType;

/** Graph inputs and outputs: the JavaScript binding has no bfloat16. */
export const INTERFACE_TYPE = "float32";

/**
 * CPU: float32 whatever the weights are. CUDA: bfloat16, with float16 for convolutions, and our own
 * operators, which exist for 16 bits.
 */
export const DTYPE_POLICIES: Readonly<Record<Device, DtypePolicy>> = Object.freeze({
  cpu: { device: "cpu", compute: "float32", text: "float32", convolution: "float32" },
  cuda: {
    device: "cuda",
    compute: "bfloat16",
    text: "bfloat16",
    convolution: "float16",
    ownOperators: true,
  },
});

/**
 * The policy for a device and the type that a person asked for; `undefined` where the device does
 * not compute in it. In float16 the text encoders stay in bfloat16: Gemma 3's activations go beyond
 * what float16 holds.
 */
export function dtypePolicy(device: Device, dtype: Dtype | "auto"): DtypePolicy | undefined {
  const usual = DTYPE_POLICIES[device];
  if (dtype === "auto" || dtype === usual.compute) return usual;
  if (device === "cpu") return undefined;
  return dtype === "float32" ? { ...DTYPE_POLICIES.cpu, device } : { ...usual, compute: "float16" };
}
