/**
 * In which types each part of the arithmetic is done. Nothing else in the toolkit decides this.
 *
 * @module
 */
import type { FloatType } from "./types.ts";

/** The execution providers that graphs are written for. */
export const DEVICES = ["cpu", "cuda", "webgpu"] as const;
/** One of them. */
export type Device = typeof DEVICES[number];

/** What graphs are written for: a device, and the types of arithmetic on it. */
export interface DtypePolicy {
  /** Whose kernels the graphs are to use: where several operators compute the same, the fastest. */
  readonly device: Device;
  /** The transformer: matrix products, attention and what lies between them. */
  readonly compute: FloatType;
  /** The same of the text encoders, and of what the transformer makes of a text once for each. */
  readonly text: FloatType;
  /** Convolutions: ONNX Runtime's CUDA provider has none in bfloat16. */
  readonly convolution: FloatType;
  /** Whether the transformer may have the project's own operators (src/kernels). */
  readonly ownOperators?: boolean;
  /**
   * `int8`: the products of the transformer's layers are of weights and activations in 8 bits, by the
   * project's own operators, and the text encoder keeps its matrices in 8 bits; all else is in
   * `compute`.
   */
  readonly products?: "int8";
  /** Whether one of those operators makes both products of a gated layer and its gate at once. */
  readonly gatesProducts?: boolean;
  /** Whether another makes attention over heads that share keys and values. */
  readonly attendsInGroups?: boolean;
  /** Whether the device's fused attention is known to be wrong: then all scores are written down. */
  readonly writesScores?: boolean;
}

/**
 * The types of arithmetic that a person can ask for; `int8` is that of the largest products alone, on
 * CUDA, and all else is in bfloat16 there.
 */
export const DTYPES = ["float32", "bfloat16", "float16", "int8"] as const;
/** One of them. */
export type Dtype = typeof DTYPES[number];

/** Graph inputs and outputs: the JavaScript binding has no bfloat16. */
export const INTERFACE_TYPE = "float32";

/**
 * CPU: float32 whatever the weights are. CUDA: bfloat16, with float16 for convolutions, and our own
 * operators, which exist for 16 bits. WebGPU has no bfloat16: float16 where the adapter has it, with
 * the text encoders in float32.
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
  webgpu: { device: "webgpu", compute: "float16", text: "float32", convolution: "float16" },
});

/** What of a WebGPU adapter the types depend on. */
export interface Adapter {
  readonly hasFloat16: boolean;
  /** Whether ONNX Runtime's fused attention is wrong on it. */
  readonly writesScores: boolean;
}

/**
 * The policy for a device and the type that a person asked for; `undefined` where the device does
 * not compute in it. In float16 what is made of the text stays in bfloat16 or float32: Gemma 3's
 * activations go beyond what float16 holds.
 *
 * @param adapter WebGPU's; by default one with float16.
 */
export function dtypePolicy(
  device: Device,
  dtype: Dtype | "auto",
  adapter: Adapter = { hasFloat16: true, writesScores: false },
): DtypePolicy | undefined {
  const exact = { ...DTYPE_POLICIES.cpu, device };
  if (device === "webgpu") {
    const { hasFloat16, writesScores } = adapter;
    const isLacking = dtype === "bfloat16" || dtype === "int8";
    if (isLacking || dtype === "float16" && !hasFloat16) return undefined;
    const isExact = dtype === "float32" || !hasFloat16;
    return { ...(isExact ? exact : DTYPE_POLICIES.webgpu), writesScores };
  }
  const usual = DTYPE_POLICIES[device];
  if (dtype === "auto" || dtype === usual.compute) return usual;
  if (device === "cpu") return undefined;
  if (dtype === "int8") return { ...usual, products: "int8" };
  return dtype === "float32" ? exact : { ...usual, compute: "float16" };
}

/** The same for a graph that has none of the project's own operators. */
export function withoutOwnOperators(policy: DtypePolicy): DtypePolicy {
  const { products: _, gatesProducts: __, attendsInGroups: ___, ...rest } = policy;
  return { ...rest, ownOperators: false };
}
