/**
 * Where to compute: what doctor knows of the machine, and then a trial.
 *
 * @module
 */
import { RequestError } from "../errors.ts";
import { inBoth, type Texts } from "../language.ts";
import {
  type Adapter,
  attention,
  cast,
  type Device,
  type FloatType,
  Graph,
  INTERFACE_TYPE,
  linear,
} from "../onnx/mod.ts";
import { bindingFolder } from "../runtime/binding_folder.ts";
import { Session } from "../runtime/session.ts";
import { tensor } from "../tensor.ts";
import { readCudaFiles } from "./binding.ts";
import { DeviceError } from "./device_error.ts";
import { type DeviceName, expectDevice, type GpuCount, type NamedDevice } from "./device_name.ts";
import { type Gpu, type GpuFacts, readGpus } from "./gpus.ts";
import { type Host, localHost } from "./host.ts";
import { type AdapterFacts, hasDisplayCard, isCard } from "./webgpu_adapter.ts";
import { readSurroundings } from "./machine.ts";
import { obstacleTexts } from "./obstacle_texts.ts";
import { BFLOAT16_CAPABILITY, chooseProvider, NOTHING_TO_MEND, type Obstacle } from "./provider.ts";

/** Where it is computed. */
export interface DeviceChoice {
  readonly device: Device;
  /** Why not on CUDA, in one line; absent on CUDA, and where another device was asked for. */
  readonly reason?: Texts<string>;
  /** The GPU's name, where nvidia-smi or WebGPU says it. */
  readonly gpu?: string;
  /** Bytes of the GPU's memory that are free, where nvidia-smi says it. */
  readonly memoryFree?: number;
  /** On CUDA the GPU's number among those that CUDA shows to this program; absent for the first. */
  readonly deviceId?: number;
  /** On CUDA the further GPUs, where several were asked for. */
  readonly others?: readonly ChosenGpu[];
  /** What WebGPU's adapter can; absent on other devices. */
  readonly adapter?: Adapter & Pick<AdapterFacts, "maxBufferBytes">;
}

/** One of several GPUs. */
export interface ChosenGpu {
  /** Its number among those that CUDA shows to this program. */
  readonly deviceId: number;
  /** Its name, where nvidia-smi says it. */
  readonly gpu?: string;
  /** Bytes of its memory that are free, where nvidia-smi says it. */
  readonly memoryFree?: number;
}

/** Trials of devices; they throw where a device does not work. */
export interface Probes {
  cuda(deviceId: number): Promise<void>;
  /** @returns Whether fused attention is right. */
  webgpu(dtype: FloatType): Promise<{ readonly fusedAttention: boolean }>;
}

const PROBES: Probes = { cuda: probeCuda, webgpu: probeWebGpu };

/**
 * Takes the device that was asked for; of `"auto"`, CUDA when a product in bfloat16 runs on it, else
 * WebGPU on a GPU (a program that imitates one is slower than the CPU itself), else the CPU. The
 * trial takes as long as the device needs to start; where there is none, nothing is tried.
 *
 * @param probes Run tiny graphs.
 * @param gpus On CUDA, how many GPUs, from the named one on; `"all"` passes over those that are too old.
 * @throws {DeviceError} When CUDA, WebGPU or several GPUs were asked for and do not work, with the
 *   reason and what to do.
 * @throws {RequestError} When a name is none, or there are fewer GPUs.
 */
export async function chooseDevice(
  asked: DeviceName = "auto",
  host: Host = localHost(),
  probes: Probes = PROBES,
  gpus: GpuCount = 1,
): Promise<DeviceChoice> {
  const named = expectDevice(asked, gpus);
  const { device } = named;
  if (device === "cpu") return { device };
  if (device === "webgpu") return await chooseWebGpu(host, probes);
  const { problem, chosen } = await tryCuda(host, probes.cuda, named, gpus);
  if (problem === undefined) {
    const [{ deviceId, ...first }, ...others] = chosen as [ChosenGpu, ...ChosenGpu[]];
    return {
      device: "cuda",
      ...first,
      ...(deviceId === 0 ? {} : { deviceId }),
      ...(others.length === 0 ? {} : { others }),
    };
  }
  const { clause, remedy, cause } = problem;
  if (device === "cuda" || typeof gpus === "number" && gpus > 1) {
    throw new DeviceError("cuda", joined(clause, remedy), { cause });
  }
  const reason = problem.nothingToMend ? clause : joined(clause, remedy);
  const adapter = await hasDisplayCard(host) ? await host.adapter() : undefined;
  if (isCard(adapter)) {
    try {
      return { ...await tryWebGpu(adapter, probes), reason };
    } catch {
      // The CPU always works, and whoever asks for WebGPU by name is told what is the matter.
    }
  }
  return { device: "cpu", reason };
}

/** WebGPU for someone who asked for it by name, be its adapter a program. */
async function chooseWebGpu(host: Host, probes: Probes): Promise<DeviceChoice> {
  const adapter = await host.adapter();
  if (adapter === undefined) {
    const { os } = host.system();
    const reason = joined(NO_ADAPTER, ADAPTER_REMEDIES[os] ?? ADAPTER_REMEDY);
    throw new DeviceError("webgpu", reason);
  }
  try {
    return await tryWebGpu(adapter, probes);
  } catch (cause) {
    const texts = { en: `${adapter.name} does not start`, zh: `${adapter.name} 无法启动` };
    const clause = withWords(texts, messageOf(cause));
    throw new DeviceError("webgpu", joined(clause, ASK_DOCTOR), { cause });
  }
}

/** Where nobody knows whether the adapter has float16, that is found out. */
async function tryWebGpu(facts: AdapterFacts, probes: Probes): Promise<DeviceChoice> {
  const { name, hasFloat16, maxBufferBytes } = facts;
  if (hasFloat16 === undefined) {
    return await tryWebGpu({ ...facts, hasFloat16: true }, probes)
      .catch(() => tryWebGpu({ ...facts, hasFloat16: false }, probes));
  }
  const { fusedAttention } = await probes.webgpu(hasFloat16 ? "float16" : "float32");
  const adapter = { hasFloat16, writesScores: !fusedAttention, maxBufferBytes };
  return { device: "webgpu", gpu: name, adapter };
}

const NO_ADAPTER: Texts<string> = {
  en: "there is no adapter: no driver for WebGPU's Vulkan, Direct3D 12 or Metal was found",
  zh: "没有适配器：未找到 WebGPU 所需的 Vulkan、Direct3D 12 或 Metal 驱动",
};
const ADAPTER_REMEDY: Texts<string> = {
  en: "install the graphics card's driver",
  zh: "请安装显卡驱动",
};
/** By `Deno.build.os`. */
const ADAPTER_REMEDIES: Readonly<Record<string, Texts<string>>> = {
  linux: {
    en: "install the graphics card's driver and the loader (Debian: apt-get install libvulkan1 " +
      "mesa-vulkan-drivers)",
    zh: "请安装显卡驱动和加载器（Debian：apt-get install libvulkan1 mesa-vulkan-drivers）",
  },
};

/** What stands in the way of CUDA. */
interface CudaProblem {
  readonly clause: Texts<string>;
  /** What to do. */
  readonly remedy: Texts<string>;
  /** Whether the machine simply has no CUDA. */
  readonly nothingToMend: boolean;
  readonly cause?: unknown;
}

/** CUDA's GPUs, from one on, or why there are none. */
async function tryCuda(
  host: Host,
  probe: Probes["cuda"],
  { deviceId }: NamedDevice,
  gpus: GpuCount,
): Promise<{ problem?: CudaProblem; chosen?: readonly ChosenGpu[] }> {
  const machine = await readSurroundings(host);
  const [gpu, cuda] = await Promise.all([
    readGpus(host),
    readCudaFiles(host, bindingFolder(machine)),
  ]);
  const obstacles = chooseProvider({ machine, gpu, cuda, deviceId }).reasons.filter(({ code }) =>
    host.seesEverything() || !code.startsWith("libraries-")
  );
  const [first] = obstacles;
  const told = (cause?: unknown) => problemOf(first!, machine, cause);
  // Other obstacles may be overcome in ways that cannot be seen from here.
  const isHopeless = !cuda.provider || obstacles.some(({ code }) => HOPELESS.includes(code));
  if (isHopeless && first !== undefined) return { problem: told() };
  const ids = idsOf(gpu, deviceId, gpus);
  try {
    await probe(deviceId);
  } catch (error) {
    return { problem: first === undefined ? unforeseen(error) : told(error) };
  }
  for (const id of ids) {
    // Those that nvidia-smi knows start as the first does.
    if (id === deviceId || gpu.visible[id] !== undefined) continue;
    try {
      await probe(id);
    } catch (cause) {
      const texts = { en: `cuda:${id} does not start`, zh: `cuda:${id} 无法启动` };
      const clause = withWords(texts, messageOf(cause));
      return { problem: { clause, remedy: ASK_DOCTOR, nothingToMend: false, cause } };
    }
  }
  return { chosen: ids.map((id) => chosenGpu(id, gpu.visible[id])) };
}

/**
 * The numbers of the GPUs to use.
 *
 * @throws {RequestError} When there are fewer than asked for, as far as that is known.
 */
function idsOf(facts: GpuFacts, first: number, gpus: GpuCount): readonly number[] {
  const { visible } = facts;
  const known = visible.length;
  if (known > 0 && first >= known) throw absentDevice(first, facts);
  const count = gpus === "all" ? Math.max(1, known - first) : gpus;
  if (known > 0 && first + count > known) throw tooFewGpus(count, first, facts);
  const ids = Array.from({ length: count }, (_, index) => first + index);
  const isOld = (id: number) =>
    id !== first && (visible[id]?.computeCapability ?? Infinity) < BFLOAT16_CAPABILITY;
  if (gpus === "all") return ids.filter((id) => !isOld(id));
  const old = ids.find(isOld);
  if (old !== undefined) throw oldGpu(old, visible[old]!);
  return ids;
}

function chosenGpu(deviceId: number, gpu: Gpu | null | undefined): ChosenGpu {
  if (!gpu) return { deviceId };
  const { name, memoryFree } = gpu;
  return { deviceId, gpu: name, ...(memoryFree === undefined ? {} : { memoryFree }) };
}

/** The GPUs that there are, with their numbers, and the variable that chose them. */
function shownGpus({ visible, visibleDevices }: GpuFacts): string {
  const list = visible.map((gpu, id) => gpu === null ? `cuda:${id}` : `cuda:${id} (${gpu.name})`);
  const chosenBy = visibleDevices === undefined ? [] : [`CUDA_VISIBLE_DEVICES=${visibleDevices}`];
  return [...list, ...chosenBy].join(", ");
}

function absentDevice(deviceId: number, facts: GpuFacts): RequestError {
  const shown = shownGpus(facts);
  return new RequestError(
    `There is no cuda:${deviceId}: this program sees ${shown}. GPUs are counted from 0; choose ` +
      "one of these.",
    { zh: `没有 cuda:${deviceId}：本程序能看到 ${shown}。显卡从 0 编号，请选择其中之一。` },
  );
}

function tooFewGpus(count: number, first: number, facts: GpuFacts): RequestError {
  const shown = shownGpus(facts);
  const most = facts.visible.length - first;
  return new RequestError(
    `gpus is ${count}, but from cuda:${first} on there ${
      most === 1 ? "is" : "are"
    } ${most}: this ` +
      `program sees ${shown}. Ask for fewer, or for all of them: --gpus all`,
    {
      zh: `gpus 是 ${count}，但从 cuda:${first} 起只有 ${most} 块：本程序能看到 ${shown}。` +
        "请减少数量，或使用全部：--gpus all",
    },
  );
}

function oldGpu(deviceId: number, { name, computeCapability }: Gpu): RequestError {
  return new RequestError(
    `cuda:${deviceId} (${name}) has compute capability ${computeCapability}; CUDA graphs need ` +
      `${BFLOAT16_CAPABILITY}.0. Leave it out: --gpus all passes over it.`,
    {
      zh: `cuda:${deviceId}（${name}）的计算能力是 ${computeCapability}，CUDA 计算图需要 ` +
        `${BFLOAT16_CAPABILITY}.0。请不要用它：--gpus all 会跳过它。`,
    },
  );
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
  const message = messageOf(cause);
  const library = MISSING_LIBRARY.exec(message)?.[1];
  const isKnown = library !== undefined && !library.startsWith("libonnxruntime");
  const clause = isKnown
    ? { en: `${library} is missing`, zh: `缺少 ${library}` }
    : withWords({ en: "it does not start", zh: "无法启动" }, message);
  return { clause, remedy: ASK_DOCTOR, nothingToMend: false, cause };
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** What ONNX Runtime says goes behind: its first line. */
function withWords(texts: Texts<string>, message: string): Texts<string> {
  const [line = ""] = message.split("\n", 1);
  return inBoth(texts, (text) => `${text} (${line})`);
}

/** @throws {Error} When a product in bfloat16 does not run on CUDA, or is wrong. */
async function probeCuda(deviceId: number): Promise<void> {
  const graph = new Graph("probe", { device: "cuda" });
  const x = cast(graph.input("x", INTERFACE_TYPE, [1, 8]), "bfloat16");
  graph.output("y", cast(linear(x, x), INTERFACE_TYPE), [1, 1]);
  await using session = await Session.create(graph.compile(), { device: "cuda", deviceId });
  const { y } = await session.run({ x: tensor(new Float32Array(8).fill(2), [1, 8]) });
  if (y?.data[0] !== 32) throw new Error(`2 · 2 · 8 gave ${y?.data[0]}`);
}

/** Positions and size of the one head that attention is tried with: more than one block of either. */
const PROBE_POSITIONS = 72;
const PROBE_HEAD = 64;
/** More than rounding in float16 makes of it. */
const PROBE_ERROR = 0.01;

/**
 * By type, a session that is never freed: with the last session of a program ONNX Runtime gives back
 * the device itself, and the next one would begin anew.
 */
const webGpuHolders = new Map<FloatType, Promise<Session>>();

/** @throws {Error} When a product does not run on WebGPU, or is wrong. */
async function probeWebGpu(dtype: FloatType): Promise<{ readonly fusedAttention: boolean }> {
  const dims = [1, PROBE_POSITIONS, PROBE_HEAD];
  const values = Float32Array.from(
    { length: PROBE_POSITIONS * PROBE_HEAD },
    (_, at) => Math.sin(at * at),
  );
  const load = (writesScores: boolean) => {
    const graph = new Graph("probe", { device: "webgpu", writesScores });
    const x = cast(graph.input("x", INTERFACE_TYPE, dims), dtype);
    // So small a scale that every position sees all others.
    const head = { heads: 1, keyValueHeads: 1, headDim: PROBE_HEAD, scale: 1 / PROBE_HEAD };
    graph.output("y", cast(attention(x, x, x, head), INTERFACE_TYPE), dims);
    return Session.create(graph.compile(), { device: "webgpu" });
  };
  const attend = async (session: Session) => {
    const { y } = await session.run({ x: tensor(values, dims) });
    return y!.data;
  };
  const holder = webGpuHolders.get(dtype) ?? load(true);
  webGpuHolders.set(dtype, holder);
  const expected = await attend(await holder);
  if (!expected.every(Number.isFinite)) {
    throw new Error("attention gives values that are no numbers");
  }
  await using session = await load(false);
  const fused = await attend(session);
  return {
    fusedAttention: fused.every((value, at) => Math.abs(value - expected[at]!) < PROBE_ERROR),
  };
}
