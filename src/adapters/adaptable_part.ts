import type { AdaptableModules, Naming } from "../models/mod.ts";
import { adaptableTensors } from "../models/mod.ts";
import type { Weights } from "../safetensors/mod.ts";
import type { AdaptablePart } from "./types.ts";

/** What is asked of a network: how its tensors are named, and what adapters may change in it. */
export interface AdaptableNetwork {
  readonly names: (weights: Weights) => Naming | undefined;
  readonly adaptable?: AdaptableModules;
}

/**
 * What adapters may change in one part of a model, as its weights have it.
 *
 * @param network The part's network, of a model family.
 * @param weights The part's weights, in whatever format.
 * @returns Undefined where the weights are not this network's, or adapters change nothing in it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { NEWBIE } from "../families/mod.ts";
 * import { openWeights } from "../safetensors/mod.ts";
 *
 * const weights = await openWeights("models/demo/next-dit");
 * const part = adaptablePart(NEWBIE.networks.transformer, weights);
 * assert.equal(part?.tensors.get("layers.0.attention.qkv.weight")?.length, 2);
 * ```
 */
export function adaptablePart(
  { names, adaptable }: AdaptableNetwork,
  weights: Weights,
): AdaptablePart | undefined {
  const naming = adaptable === undefined ? undefined : names(weights);
  if (adaptable === undefined || naming === undefined) return undefined;
  return { modules: adaptable, tensors: adaptableTensors(adaptable, naming) };
}
