import * as z from "zod";
import { gelu, relu, silu, type Value } from "../onnx/mod.ts";

/** diffusers' activations (`get_activation`) that the autoencoders are published with. */
const ACTIVATIONS = {
  silu,
  swish: silu,
  relu,
  gelu: (x: Value) => gelu(x, "none"),
} as const;

/** An activation by diffusers' name. */
export type ActivationName = keyof typeof ACTIVATIONS;

/** `act_fn` as config.json states it: diffusers does not mind upper case. */
export const activationName = z.string().toLowerCase().pipe(
  z.enum(Object.keys(ACTIVATIONS) as [ActivationName, ...ActivationName[]]),
);

/** Applies an activation by name. */
export function activate(x: Value, name: ActivationName): Value {
  return ACTIVATIONS[name](x);
}
