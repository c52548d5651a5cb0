/**
 * The project's own operators: what ONNX Runtime has no fused kernels for.
 *
 * @module
 */
import { cast, type DtypePolicy, Graph, INTERFACE_TYPE, OWN_DOMAIN, swiglu } from "../onnx/mod.ts";
import { bindingFolder } from "../runtime/binding_folder.ts";
import { openCudaDriver } from "../runtime/native/cuda_driver.ts";
import { operatorSessions } from "../runtime/native/custom_session.ts";
import { sessionError, type SessionHost } from "../runtime/session.ts";
import { tensor } from "../tensor.ts";
import { isHopper, type KernelType } from "./cuda_kernels.ts";
import { cudaOperators } from "./cuda_operators.ts";

/**
 * Where graphs without operators of our own run on CUDA, on the thread that asks: over ONNX Runtime's
 * C interface as those with them do, which loads weights faster than its JavaScript binding and takes
 * less memory.
 */
export function plainSessions(): SessionHost {
  return operatorSessions(bindingFolder(Deno.build), { domain: OWN_DOMAIN, operators: [] });
}

/** σ(1), which the kernels' probe has to give. */
const SILU_OF_ONE = 0.731;
/** A few roundings of bfloat16. */
const TOLERANCE = 0.01;

/** What not every GPU that has our own operators can; the words are those of the policy. */
export type Abilities = Required<Pick<DtypePolicy, "gatesProducts" | "attendsInGroups">>;

/** Where graphs with our own operators run. */
export interface KernelSessions extends SessionHost {
  /**
   * What GPUs can besides: that which all of them can.
   *
   * @param others Numbers of GPUs besides the sessions' own.
   */
  abilities(others: readonly number[]): Abilities;
}

/** What was tried and works, by type and GPU. */
const tried = new Map<string, KernelSessions>();

/**
 * Where graphs with our own operators run on CUDA, on the thread that asks. The kernels are tried
 * once: they need a GPU of compute capability 8.0 (Ampere) and a driver for CUDA 13.
 *
 * @param type In which the graphs compute.
 * @param deviceId The GPU's number among those that CUDA shows to this program.
 * @throws {SessionError} When the kernels do not load here, or are wrong.
 */
export async function kernelSessions(type: KernelType, deviceId = 0): Promise<KernelSessions> {
  const key = `${type} ${deviceId}`;
  const known = tried.get(key);
  if (known !== undefined) return known;
  const folder = bindingFolder(Deno.build);
  const openDriver = () => openCudaDriver(folder, deviceId);
  const operators = operatorSessions(folder, cudaOperators(type, openDriver));
  const host: SessionHost = {
    create: (graph, options) => operators.create(graph, { ...options, deviceId }),
  };
  const width = 8;
  const graph = new Graph("kernel probe", { device: "cuda", ownOperators: true });
  const x = cast(graph.input("x", INTERFACE_TYPE, [1, width]), type);
  graph.output("y", cast(swiglu(x, x, width), INTERFACE_TYPE), [1, width]);
  await using session = await host.create(graph.compile(), { device: "cuda" });
  const { y } = await session.run({ x: tensor(new Float32Array(width).fill(1), [1, width]) });
  const found = y!.data[0]!;
  if (Math.abs(found - SILU_OF_ONE) >= TOLERANCE) {
    throw sessionError(graph.name, "run", `silu(1) is ${SILU_OF_ONE}, and ${found} came out`);
  }
  const sessions: KernelSessions = {
    ...host,
    abilities: (others) => {
      const areHopper = [deviceId, ...others].every((id) => isHopper(openDriver(), id));
      return { gatesProducts: areHopper && type === "bfloat16", attendsInGroups: areHopper };
    },
  };
  tried.set(key, sessions);
  return sessions;
}
