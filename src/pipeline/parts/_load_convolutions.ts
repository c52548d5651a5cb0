import type { CompiledGraph, Device } from "../../onnx/mod.ts";
import type { RunningGraph, SessionHost } from "../../runtime/session.ts";

/**
 * Loads a graph with convolutions, of which the CPU computes shapes.
 *
 * @throws {SessionError} When ONNX Runtime cannot load it.
 */
export async function loadConvolutions(
  host: SessionHost,
  graph: CompiledGraph,
  device: Device,
): Promise<RunningGraph> {
  return await host.create(graph, { device, mayUseCpu: true, convolves: true });
}
