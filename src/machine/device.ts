/**
 * Where to compute, decided by trying.
 *
 * @module
 */
import type { Texts } from "../language.ts";
import { cast, type Device, Graph, INTERFACE_TYPE, linear } from "../onnx/mod.ts";
import { tensor } from "../tensor.ts";
import { bindingFolder } from "../runtime/binding_folder.ts";
import { hasCudaProvider } from "./binding.ts";
import { listGpus } from "./gpus.ts";
import { type Host, localHost } from "./host.ts";
import { Session } from "../runtime/session.ts";

/** Where `device: "auto"` computes. */
export interface DeviceChoice {
  readonly device: Device;
  /** Why not on CUDA, in one line; absent on CUDA. */
  readonly reason?: Texts<string>;
  /** The GPU's name, where nvidia-smi says it. */
  readonly gpu?: string;
  /** Bytes of the GPU's memory that are free, where nvidia-smi says it. */
  readonly memoryFree?: number;
}

/**
 * Takes CUDA when a product in bfloat16 runs on it, else the CPU; takes as long as CUDA needs to
 * start, and where there is no GPU or no provider, next to nothing.
 *
 * @param probe Runs a tiny graph on CUDA and throws when it cannot.
 */
export async function chooseDevice(
  host: Host = localHost(),
  probe: () => Promise<void> = probeCuda,
  { os, arch }: { readonly os: string; readonly arch: string } = Deno.build,
): Promise<DeviceChoice> {
  const onCpu = (en: string, zh: string): DeviceChoice => ({ device: "cpu", reason: { en, zh } });
  if (os !== "linux" || arch !== "x86_64") {
    return onCpu(
      `CUDA needs Linux on x86_64, and this is ${os} on ${arch}`,
      `CUDA 需要 x86_64 上的 Linux，而这里是 ${arch} 上的 ${os}`,
    );
  }
  const memory = await gpuMemory(host);
  if (!await hasCudaProvider(host, bindingFolder({ os, arch }))) {
    return memory.gpu === undefined ? onCpu("no NVIDIA GPU was found", "未找到 NVIDIA GPU") : onCpu(
      `ONNX Runtime's CUDA provider for the ${memory.gpu} is not installed: ` +
        "deno task install:cuda",
      `尚未安装 ${memory.gpu} 所需的 ONNX Runtime CUDA 执行提供程序：deno task install:cuda`,
    );
  }
  try {
    await probe();
    return { device: "cuda", ...memory };
  } catch (error) {
    const { en, zh } = cudaProblem(error);
    return onCpu(en, zh);
  }
}

/** The first GPU's name and free memory, as far as nvidia-smi can be asked. */
export async function gpuMemory(
  host: Host = localHost(),
): Promise<Pick<DeviceChoice, "gpu" | "memoryFree">> {
  const [first] = await listGpus(host);
  if (first === undefined) return {};
  const { name, memoryFree } = first;
  return { gpu: name, ...(memoryFree === undefined ? {} : { memoryFree }) };
}

const MISSING_LIBRARY = /(lib[\w.+-]+\.so[\d.]*): cannot open shared object file/;

/** Why CUDA does not work, from what ONNX Runtime said; without a full stop. */
export function cudaProblem(error: unknown): Texts<string> {
  const message = error instanceof Error ? error.message : String(error);
  const library = MISSING_LIBRARY.exec(message)?.[1];
  if (library !== undefined && !library.startsWith("libonnxruntime")) {
    return {
      en: `CUDA does not start because ${library} is missing; deno task doctor says how to get it`,
      zh: `缺少 ${library}，CUDA 无法启动；运行 deno task doctor 查看获取方法`,
    };
  }
  const [line = ""] = message.split("\n", 1);
  return {
    en: `CUDA does not start (${line}); deno task doctor says more`,
    zh: `CUDA 无法启动（${line}）；运行 deno task doctor 了解详情`,
  };
}

/** @throws {Error} When a product in bfloat16 does not run on CUDA, or is wrong. */
async function probeCuda(): Promise<void> {
  const graph = new Graph("probe", { device: "cuda" });
  const x = cast(graph.input("x", INTERFACE_TYPE, [1, 8]), "bfloat16");
  graph.output("y", cast(linear(x, x), INTERFACE_TYPE), [1, 1]);
  await using session = await Session.create(graph.compile(), { device: "cuda" });
  const { y } = await session.run({ x: tensor(new Float32Array(8).fill(2), [1, 8]) });
  if (y?.data[0] !== 32) throw new Error(`2 · 2 · 8 gave ${y?.data[0]}`);
}
