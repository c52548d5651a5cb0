import type { NextDiTConfig, NextDiTGraphs } from "../../models/mod.ts";
import { type DtypePolicy, withoutOwnOperators } from "../../onnx/mod.ts";
import { OutOfMemoryError, SessionError, type SessionHost } from "../../runtime/session.ts";
import type { AdapterWeights } from "./adapter_feed.ts";
import { Transformer } from "./transformer.ts";

/** How a transformer is to be loaded. */
export interface LoadTransformerOptions {
  /** As {@linkcode permittedPolicy} gives it. */
  readonly policy: DtypePolicy;
  /** Whether its graphs stay loaded between steps. */
  readonly resident: boolean;
  /** Where graphs without operators of our own run. */
  readonly host?: SessionHost;
  /** Is asked in each run, where the graphs were compiled with adapters. */
  readonly adapterWeights?: AdapterWeights;
  /** Is told when our own operators cannot be used here, and why. */
  readonly onOperatorFallback?: (reason: string) => void;
}

/**
 * Loads NextDiT. Our own operators are used where the policy wants them and they work here.
 * Otherwise ONNX Runtime's compute the same, slower.
 *
 * @param compile Makes the graphs for a policy.
 * @throws {SessionError} When ONNX Runtime cannot load a graph.
 */
export async function loadTransformer(
  config: NextDiTConfig,
  compile: (policy: DtypePolicy) => NextDiTGraphs,
  { policy, resident, host, adapterWeights, onOperatorFallback = () => {} }: LoadTransformerOptions,
): Promise<Transformer> {
  const { device, compute } = policy;
  if (policy.ownOperators && compute !== "float32") {
    const { kernelSessions } = await import("../../kernels/mod.ts");
    try {
      const host = await kernelSessions(compute);
      const hold = { device, resident, host };
      const { gatesProducts, attendsInGroups } = host;
      const isKnown = (policy.gatesProducts ?? false) === gatesProducts &&
        (policy.attendsInGroups ?? false) === attendsInGroups;
      const graphs = compile(isKnown ? policy : { ...policy, gatesProducts, attendsInGroups });
      return await Transformer.create(config, graphs, hold, adapterWeights);
    } catch (error) {
      if (!(error instanceof SessionError) || error instanceof OutOfMemoryError) throw error;
      // No other kernels have its products in 8 bits, for which the rest was made ready.
      if (policy.products !== undefined) throw error;
      onOperatorFallback(error.reason);
      policy = withoutOwnOperators(policy);
    }
  }
  return await Transformer.create(
    config,
    compile(policy),
    { device, resident, host },
    adapterWeights,
  );
}
