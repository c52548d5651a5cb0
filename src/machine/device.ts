/**
 * Where to compute: what doctor knows of the machine, and then a trial.
 *
 * @module
 */
import { inBoth, type Texts } from "../language.ts";
import { cast, type Device, Graph, INTERFACE_TYPE, linear } from "../onnx/mod.ts";
import { bindingFolder } from "../runtime/binding_folder.ts";
import { Session } from "../runtime/session.ts";
import { tensor } from "../tensor.ts";
import { readCudaFiles } from "./binding.ts";
import { DeviceError } from "./device_error.ts";
import { type Gpu, readGpus } from "./gpus.ts";
import { type Host, localHost } from "./host.ts";
import { readSurroundings } from "./machine.ts";
import { obstacleTexts } from "./obstacle_texts.ts";
import { chooseProvider, NOTHING_TO_MEND, type Obstacle } from "./provider.ts";

/** Where it is computed. */
export interface DeviceChoice {
  readonly device: Device;
  /** Why not on CUDA, in one line; absent on CUDA, and where the CPU was asked for. */
  readonly reason?: Texts<string>;
  /** The GPU's name, where nvidia-smi says it. */
  readonly gpu?: string;
  /** Bytes of the GPU's memory that are free, where nvidia-smi says it. */
  readonly memoryFree?: number;
}

/**
 * Takes the device that was asked for; of `"auto"`, CUDA when a product in bfloat16 runs on it, else
 * the CPU. The trial takes as long as CUDA needs to start; where there is no GPU or no provider, or
 * where the driver hangs, nothing is tried.
 *
 * @param probe Runs a tiny graph on CUDA and throws when it cannot.
 * @throws {DeviceError} When CUDA was asked for by name and does not work, with the reason and what
 *   to do.
 */
export async function chooseDevice(
  asked: "auto" | Device = "auto",
  host: Host = localHost(),
  probe: () => Promise<void> = probeCuda,
): Promise<DeviceChoice> {
  if (asked === "cpu") return { device: "cpu" };
  const { problem, gpu } = await tryCuda(host, probe);
  if (problem === undefined) {
    const free = gpu?.memoryFree;
    return {
      device: "cuda",
      ...(gpu === undefined ? {} : { gpu: gpu.name }),
      ...(free === undefined ? {} : { memoryFree: free }),
    };
  }
  const { clause, remedy, cause } = problem;
  if (asked === "cuda") throw new DeviceError("cuda", joined(clause, remedy), { cause });
  return { device: "cpu", reason: problem.nothingToMend ? clause : joined(clause, remedy) };
}

/** What stands in the way of CUDA. */
interface CudaProblem {
  readonly clause: Texts<string>;
  /** What to do. */
  readonly remedy: Texts<string>;
  /** Whether the machine simply has no CUDA. */
  readonly nothingToMend: boolean;
  readonly cause?: unknown;
}

async function tryCuda(
  host: Host,
  probe: () => Promise<void>,
): Promise<{ problem?: CudaProblem; gpu?: Gpu }> {
  const machine = await readSurroundings(host);
  const [gpu, cuda] = await Promise.all([
    readGpus(host),
    readCudaFiles(host, bindingFolder(machine)),
  ]);
  const obstacles = chooseProvider({ machine, gpu, cuda }).reasons.filter(({ code }) =>
    host.seesEverything() || !code.startsWith("libraries-")
  );
  const [first] = obstacles;
  const told = (cause?: unknown) => problemOf(first!, machine, cause);
  // Other obstacles may be overcome in ways that cannot be seen from here.
  const isHopeless = !cuda.provider || obstacles.some(({ code }) => HOPELESS.includes(code));
  if (isHopeless && first !== undefined) return { problem: told() };
  try {
    await probe();
    const [device] = gpu.visible;
    return device ? { gpu: device } : {};
  } catch (error) {
    return { problem: first === undefined ? unforeseen(error) : told(error) };
  }
}

/** With these a trial cannot succeed, or would hang. */
const HOPELESS: readonly Obstacle["code"][] = ["platform", "driver-silent", "gpus-hidden"];

function problemOf(
  obstacle: Obstacle,
  { wsl, container }: { readonly wsl: boolean; readonly container?: unknown },
  cause: unknown,
): CudaProblem {
  const clause = obstacleTexts(obstacle, { wsl, container: container !== undefined });
  const nothingToMend = NOTHING_TO_MEND.includes(obstacle.code);
  const remedy = nothingToMend
    ? NO_REMEDY
    : obstacle.code === "provider-missing"
    ? INSTALL
    : ASK_DOCTOR;
  return { clause, remedy, nothingToMend, cause };
}

const NO_REMEDY: Texts<string> = {
  en: 'device "auto" takes the CPU here, and deno task doctor says more',
  zh: 'device "auto" 在这里使用 CPU，详情请运行 deno task doctor',
};
const INSTALL: Texts<string> = {
  en: "deno task install:cuda installs it",
  zh: "请运行 deno task install:cuda 安装",
};
const ASK_DOCTOR: Texts<string> = {
  en: "deno task doctor says what to do",
  zh: "解决办法请运行 deno task doctor",
};

function joined(clause: Texts<string>, remedy: Texts<string>): Texts<string> {
  return { en: `${clause.en}; ${remedy.en}`, zh: `${clause.zh}；${remedy.zh}` };
}

const MISSING_LIBRARY = /(lib[\w.+-]+\.so[\d.]*): cannot open shared object file/;

/**
 * The trial failed although nothing known of the machine spoke against it: the first line of what
 * ONNX Runtime says.
 */
function unforeseen(cause: unknown): CudaProblem {
  const message = cause instanceof Error ? cause.message : String(cause);
  const library = MISSING_LIBRARY.exec(message)?.[1];
  const isKnown = library !== undefined && !library.startsWith("libonnxruntime");
  const [line = ""] = message.split("\n", 1);
  const clause = isKnown
    ? { en: `${library} is missing`, zh: `缺少 ${library}` }
    : inBoth({ en: "it does not start", zh: "无法启动" }, (text) => `${text} (${line})`);
  return { clause, remedy: ASK_DOCTOR, nothingToMend: false, cause };
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
