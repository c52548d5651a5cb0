/** The options that say how a model is loaded, for every task that loads one. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { PretrainedOptions } from "../../src/pipeline/types.ts";
import { type EachPart, PART_NAMES, type PartName, partWords } from "../../src/families/mod.ts";
import { DTYPES } from "../../src/onnx/dtype_policy.ts";
import { type DeviceName, type GpuCount, parseDevice } from "../../src/machine/device_name.ts";
import { inLanguage } from "./language.ts";

const text = inLanguage({
  en: {
    device:
      "where to compute: auto, cpu, cuda, webgpu, or cuda:1 for the second GPU that CUDA shows",
    gpus:
      "on CUDA, on how many GPUs to draw, from the device on: a number or all; the prompt and " +
      "the negative prompt are computed at the same time, several pictures side by side",
    expectedDevice: "Expected auto, cpu, cuda, cuda:N or webgpu.",
    expectedGpus: "Expected a whole number from 1, or all.",
    dtype:
      "type of arithmetic; auto is float32 on the CPU, bfloat16 on CUDA, and on WebGPU float16 " +
      "where the GPU has it; int8, on CUDA with create:fast, is faster and smaller: the largest " +
      "products in 8 bits, the rest in bfloat16",
    offload:
      "none keeps every part of the model loaded, model one at a time, sequential a share of " +
      "one's layers; auto is the first that fits into the device's memory",
    threads: "threads that compute on the CPU (default: one for each core that may be used)",
    part: (what: string) => `the ${what}, where it is not to be looked for: a file or a folder`,
    variant: "of several copies of the weights this one, as diffusers names them: fp16",
  },
  zh: {
    device: "在哪里计算：auto、cpu、cuda、webgpu，或 cuda:1（CUDA 可见的第二块显卡）",
    gpus:
      "在 CUDA 上使用几块显卡（从 device 起）：数字或 all；提示词与反向提示词同时计算，多张图片并行绘制",
    expectedDevice: "应为 auto、cpu、cuda、cuda:N 或 webgpu。",
    expectedGpus: "应为 1 以上的整数，或 all。",
    dtype:
      "运算的数据类型；auto 在 CPU 上为 float32，在 CUDA 上为 bfloat16，在 WebGPU 上为 float16" +
      "（GPU 支持时）；int8 用于 CUDA 上的 create:fast，更快也更小：最大的矩阵乘法用 8 位，其余为 " +
      "bfloat16",
    offload:
      "none 让模型各部分常驻，model 每次只加载一个部分，sequential 每次只加载其中一部分层；" +
      "auto 选用第一个能放进显存或内存的方式",
    threads: "在 CPU 上计算的线程数（默认：每个可用的核心一个）",
    part: (what: string) => `指定 ${what} 的文件或文件夹，而不去查找`,
    variant: "权重有多份时选用哪一份，名称与 diffusers 相同：fp16",
  },
});

const words = inLanguage({ en: partWords("en"), zh: partWords("zh") });

/** What was chosen. */
export type ModelOptions =
  & Required<Pick<PretrainedOptions, "device" | "dtype" | "offload">>
  & Pick<PretrainedOptions, "threads">;

/** On how many GPUs. */
export type GpuOptions = Required<Pick<PretrainedOptions, "gpus">>;

/** Parts that were named, and the variant of the others. */
export type PartOptions = Pick<PretrainedOptions, PartName | "variant">;

type Choice = "dtype" | "offload";
const CHOICES: Readonly<{ [K in Choice]: readonly ModelOptions[K][] }> = {
  dtype: ["auto", ...DTYPES],
  offload: ["auto", "none", "model", "sequential"],
};

/** Adds `--device` to a task. */
export function addDeviceOption(command: Command, help: string = text.device): Command {
  return command.option("--device <name>", help, deviceName, "auto");
}

function deviceName(value: string): DeviceName {
  if (parseDevice(value) === undefined) throw new InvalidArgumentError(text.expectedDevice);
  return value as DeviceName;
}

function gpuCount(value: string): GpuCount {
  if (value === "all") return value;
  if (!/^[1-9]\d{0,2}$/.test(value)) throw new InvalidArgumentError(text.expectedGpus);
  return Number(value);
}

/** Adds `--device`, `--dtype`, `--offload` and `--threads` to a task. */
export function addModelOptions(command: Command): Command {
  addDeviceOption(command);
  for (const name of ["dtype", "offload"] as const) {
    const option = new Option(`--${name} <name>`, text[name]).choices(CHOICES[name]);
    command.addOption(option.default("auto"));
  }
  return command.addOption(new Option("--threads <n>", text.threads).argParser(Number));
}

/** Adds `--gpus` to a task that may start threads. */
export function addGpuOption(command: Command): Command {
  return command.option("--gpus <n>", text.gpus, gpuCount, 1);
}

/** The options that name a part each. */
const PART_OPTIONS: EachPart<string> = {
  transformer: "--transformer",
  textEncoder: "--text-encoder",
  clipModel: "--clip-model",
  vae: "--vae",
};

/** Adds `--transformer`, `--text-encoder`, `--clip-model`, `--vae` and `--variant` to a task. */
export function addPartOptions(command: Command): Command {
  for (const name of PART_NAMES) {
    command.option(`${PART_OPTIONS[name]} <path>`, text.part(words[name]));
  }
  return command.option("--variant <name>", text.variant);
}

/** The parts that were named. */
export function partOptions(
  { transformer, textEncoder, clipModel, vae, variant }: PartOptions,
): PartOptions {
  return { transformer, textEncoder, clipModel, vae, variant };
}
