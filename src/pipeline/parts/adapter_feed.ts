import { ADAPTER_WEIGHTS } from "../../onnx/mod.ts";
import type { Feed } from "../../runtime/session.ts";
import type { Tensor } from "../../tensor.ts";

/** The weights of the adapters now, [adapters]; undefined where there are none. */
export type AdapterWeights = () => Tensor | undefined;

/** What graphs with adapters take besides. */
export function adapterFeed(weights: AdapterWeights): Readonly<Record<string, Feed>> {
  const now = weights();
  return now === undefined ? {} : { [ADAPTER_WEIGHTS]: { ...now, constant: true } };
}
