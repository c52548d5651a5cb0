import type { NextDiTConfig, NextDiTGraphs } from "../../models/mod.ts";
import { type DtypePolicy, withoutOwnOperators } from "../../onnx/mod.ts";
import { spreadSessions } from "../../runtime/spread_sessions.ts";
import { withOptions } from "../../runtime/with_options.ts";
import {
  OutOfMemoryError,
  SessionError,
  type SessionHost,
  type SessionOptions,
} from "../../runtime/session.ts";
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
  /**
   * On CUDA the GPU's number among those that CUDA shows to this program.
   *
   * @default {0}
   */
  readonly deviceId?: number;
  /**
   * The GPUs for the steps, where there are several, the first among them: each has a thread of its own,
   * which runs both kinds of graphs, so that none waits until this thread has time for it.
   */
  readonly gpus?: readonly GpuThread[];
  /** Is asked in each run, where the graphs were compiled with adapters. */
  readonly adapterWeights?: AdapterWeights;
  /** Is told when our own operators cannot be used here, and why. */
  readonly onOperatorFallback?: (reason: string) => void;
}

/** One of several GPUs. */
export interface GpuThread {
  readonly deviceId: number;
  readonly thread: SessionHost;
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
  options: LoadTransformerOptions,
): Promise<Transformer> {
  const { resident, host, deviceId = 0, gpus = [], adapterWeights } = options;
  const { onOperatorFallback = () => {} } = options;
  let { policy } = options;
  const { device, compute } = policy;
  /** The host of what depends on the text alone, and that of the steps. */
  const hosts = (host: SessionHost, own: Pick<SessionOptions, "ownOperators"> = {}) => ({
    host,
    stepsHost: gpus.length === 0 ? host : spreadSessions(
      gpus.map(({ deviceId, thread }) => withOptions({ deviceId, ...own }, thread)),
    ),
  });
  if (policy.ownOperators && compute !== "float32") {
    const { kernelSessions } = await import("../../kernels/mod.ts");
    try {
      const host = await kernelSessions(compute, deviceId);
      const hold = { device, resident, ...hosts(host, { ownOperators: compute }) };
      const abilities = host.abilities(gpus.map(({ deviceId }) => deviceId));
      const isKnown = (policy.gatesProducts ?? false) === abilities.gatesProducts &&
        (policy.attendsInGroups ?? false) === abilities.attendsInGroups;
      const graphs = compile(isKnown ? policy : { ...policy, ...abilities });
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
    { device, resident, ...hosts(withOptions({ deviceId }, host)) },
    adapterWeights,
  );
}
