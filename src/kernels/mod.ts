/**
 * The project's own operators: what ONNX Runtime has no fused kernels for.
 *
 * @module
 */
import { cast, Graph, INTERFACE_TYPE, swiglu } from "../onnx/mod.ts";
import { bindingFolder } from "../runtime/binding_folder.ts";
import { openCudaDriver } from "../runtime/native/cuda_driver.ts";
import { operatorSessions } from "../runtime/native/custom_session.ts";
import { sessionError, type SessionHost } from "../runtime/session.ts";
import { tensor } from "../tensor.ts";
import { CudaKernels, type KernelType } from "./cuda_kernels.ts";
import { cudaOperators } from "./cuda_operators.ts";

const SILU_OF_ONE = 0.731;
/** A few roundings of bfloat16. */
const TOLERANCE = 0.01;

/** Where graphs with our own operators run. */
export interface KernelSessions extends SessionHost {
  /** Whether they have {@linkcode DtypePolicy.gatesProducts}. */
  readonly gatesProducts: boolean;
  /** Whether they have {@linkcode DtypePolicy.attendsInGroups}. */
  readonly attendsInGroups: boolean;
}

/** What was tried and works. */
const tried = new Map<KernelType, KernelSessions>();

/**
 * Where graphs with our own operators run on CUDA, on the thread that asks. The kernels are tried
 * once: they need a GPU of compute capability 8.0 (Ampere) and a driver for CUDA 13.
 *
 * @param type In which the graphs compute.
 * @throws {SessionError} When the kernels do not load here, or are wrong.
 */
export async function kernelSessions(type: KernelType): Promise<KernelSessions> {
  const known = tried.get(type);
  if (known !== undefined) return known;
  const folder = bindingFolder(Deno.build);
  const host = operatorSessions(folder, cudaOperators(type, () => openCudaDriver(folder)));
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
  const { isHopper } = CudaKernels.of(openCudaDriver(folder));
  const gatesProducts = isHopper && type === "bfloat16";
  const sessions = { ...host, gatesProducts, attendsInGroups: isHopper };
  tried.set(type, sessions);
  return sessions;
}
