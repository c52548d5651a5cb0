/**
 * Activations: by which operator each device computes them, because its kernel is the fastest there or the
 * most exact.
 *
 * @module
 */
import { floatType, same } from "./_checks.ts";
import { MICROSOFT_DOMAIN, OWN_DOMAIN, type Value } from "./graph.ts";
import { VECTOR_VALUES } from "./kernel_limits.ts";
import { mul } from "./operators.ts";
import { float } from "./types.ts";

/** SiLU, also called swish: x · σ(x). */
export function silu(x: Value): Value {
  if (x.graph.device === "cpu") return mul(x, x.graph.node("Sigmoid", [x], x.type));
  // x · σ(alpha · x), in one pass.
  return x.graph.node("QuickGelu", [x], x.type, {
    domain: MICROSOFT_DOMAIN,
    attributes: { alpha: float(1) },
  });
}

/** The exponent of a mean square that no activation comes near. */
const FAR_ABOVE = 60;

/**
 * silu(gate) · x by element, the gate of SwiGLU (Shazeer 2020); the last extent is `width`.
 *
 * On CUDA in one pass, by a kernel of our own or else by the only fused one that ONNX Runtime 1.29
 * has for it: `GatedRMSNorm` is x · s / √(mean(x²) + ε) · silu(gate), and with ε = 2^60 and s = 2^30
 * that is x · silu(gate) but for a relative difference of mean(x²) / 2^61, far below one rounding.
 */
export function swiglu(gate: Value, x: Value, width: number): Value {
  same("swiglu", gate, x);
  const { graph } = x;
  const type = floatType(x);
  if (graph.ownOperators && width % VECTOR_VALUES === 0) {
    return graph.node("SwiGLU", [gate, x], type, { domain: OWN_DOMAIN });
  }
  // float16 cannot hold the scale.
  if (graph.device !== "cuda" || type === "float16") return mul(silu(gate), x);
  const weight = graph.vector(new Array<number>(width).fill(2 ** (FAR_ABOVE / 2)), type);
  return graph.node("GatedRMSNorm", [x, weight, gate], type, {
    domain: MICROSOFT_DOMAIN,
    attributes: { epsilon: float(2 ** FAR_ABOVE) },
  });
}
