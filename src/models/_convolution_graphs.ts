/**
 * Networks of convolutions alone, whole and in tiles: a tile that sees as far beyond its edges as the
 * convolutions reach is exact, so that one graph goes over all of them.
 *
 * @module
 */
import {
  type CompiledGraph,
  crop,
  type DtypePolicy,
  Graph,
  INTERFACE_TYPE,
  type NameInFile,
  Parameters,
  type Value,
  withoutOwnOperators,
} from "../onnx/mod.ts";
import type { Weights } from "../safetensors/mod.ts";
import { CORE_END, CORE_START, type TiledStep } from "./autoencoder_graphs.ts";

/** A map of a graph, and its shape. */
interface MapShape {
  readonly name: string;
  readonly dims: readonly (string | number)[];
}

/** Such a network. */
export interface ConvolutionNetwork {
  /** What its graphs are called. */
  readonly name: string;
  readonly weights: Weights;
  readonly nameInFile: NameInFile;
  readonly policy: DtypePolicy;
  readonly reads: MapShape;
  readonly writes: MapShape;
  /** As in {@linkcode TiledStep}. */
  readonly halo: number;
  readonly scale: number;
  readonly multiple?: number;
  /** What it makes of the map that it reads; both in the type of graphs' inputs. */
  readonly build: (x: Value, parameters: Parameters) => Value;
}

/**
 * The network in one graph.
 *
 * @param write Names what it makes as outputs; by default as the map that it writes.
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function wholeGraph(
  network: ConvolutionNetwork,
  write = (graph: Graph, { name, dims }: MapShape, value: Value) => graph.output(name, value, dims),
): CompiledGraph {
  const [graph, value] = begun(network, network.name);
  write(graph, network.writes, value);
  return graph.compile();
}

/**
 * The network as a step that goes over tiles.
 *
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function tileStep(network: ConvolutionNetwork): TiledStep {
  const { reads, writes, halo, scale, multiple } = network;
  const [graph, value] = begun(network, `${network.name}_tile`);
  const [start, end] = [CORE_START, CORE_END].map((name) => graph.input(name, "int64", [2]));
  graph.output(`${writes.name}_tile`, crop(value, start!, end!), writes.dims);
  return {
    graph: graph.compile(),
    reads: [reads.name],
    writes: [writes.name],
    global: false,
    halo,
    scale,
    ...(multiple === undefined ? {} : { multiple }),
    inPlace: false,
  };
}

function begun(
  { weights, nameInFile, policy, reads, build }: ConvolutionNetwork,
  name: string,
): [Graph, Value] {
  const graph = new Graph(name, withoutOwnOperators(policy));
  const parameters = new Parameters(graph, weights, { nameInFile });
  const value = build(graph.input(reads.name, INTERFACE_TYPE, reads.dims), parameters);
  parameters.check();
  return [graph, value];
}
