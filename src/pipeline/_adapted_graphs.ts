import type { Network } from "../families/mod.ts";
import { type Adaptation, type DtypePolicy, MOST_OWN_BYTES } from "../onnx/mod.ts";
import type { Weights } from "../safetensors/mod.ts";

/** Makes the graphs of a part: for a type of arithmetic, with the adapters that there are. */
export type CompileAdapted<Graphs> = (
  policy: DtypePolicy,
  adaptation: Adaptation | undefined,
) => Graphs;

/** Graphs, and what they were compiled for. */
interface Compiled<Graphs> {
  readonly policy: DtypePolicy;
  readonly adaptation: Adaptation | undefined;
  readonly graphs: Graphs;
}

/**
 * Compiles a part anew where adapters or the type of arithmetic are others than the last time.
 *
 * @param plain Its graphs for the policy without adapters.
 * @param segments Into how many graphs it is cut at least.
 */
export function adaptedGraphs<Config, Graphs>(
  { compile }: Network<Config, Graphs>,
  { config, weights }: { readonly config: Config; readonly weights: Weights },
  plain: Graphs,
  policy: DtypePolicy,
  segments: number,
): CompileAdapted<Graphs> {
  let last: Compiled<Graphs> = { policy, adaptation: undefined, graphs: plain };
  return (policy, adaptation) => {
    if (policy !== last.policy || adaptation !== last.adaptation) {
      const pieces = Math.max(segments, piecesFor(adaptation, policy));
      const graphs = compile(config, weights, policy, pieces, adaptation);
      last = { policy, adaptation, graphs };
    }
    return last.graphs;
  };
}

/** How many graphs a part must be cut into so that each can hold its share of merged tensors. */
function piecesFor(adaptation: Adaptation | undefined, { compute }: DtypePolicy): number {
  const merged = [...adaptation?.merged.values() ?? []];
  const values = merged.reduce((sum, { length }) => sum + length, 0);
  return Math.ceil(values * (compute === "float32" ? 4 : 2) / MOST_OWN_BYTES);
}
