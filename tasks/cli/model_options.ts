/** The options that say how a model is loaded, for every task that loads one. */
import { type Command, Option } from "commander";
import type { PretrainedOptions } from "../../src/mod.ts";
import { inLanguage } from "./language.ts";

const text = inLanguage({
  en: {
    device: "where to compute",
    dtype: "type of arithmetic; auto is float32 on the CPU and bfloat16 on CUDA",
    offload:
      "none keeps every part of the model loaded, model one at a time, sequential a share of " +
      "one's layers; auto is the first that fits into the device's memory",
    threads: "threads that compute on the CPU (default: one for each core that may be used)",
  },
  zh: {
    device: "在哪里计算",
    dtype: "运算的数据类型；auto 在 CPU 上为 float32，在 CUDA 上为 bfloat16",
    offload:
      "none 让模型各部分常驻，model 每次只加载一个部分，sequential 每次只加载其中一部分层；" +
      "auto 选用第一个能放进显存或内存的方式",
    threads: "在 CPU 上计算的线程数（默认：每个可用的核心一个）",
  },
});

/** What was chosen. */
export type ModelOptions =
  & Required<Pick<PretrainedOptions, "device" | "dtype" | "offload">>
  & Pick<PretrainedOptions, "threads">;

type Choice = "device" | "dtype" | "offload";
const CHOICES: Readonly<{ [K in Choice]: readonly ModelOptions[K][] }> = {
  device: ["auto", "cpu", "cuda"],
  dtype: ["auto", "float32", "bfloat16", "float16"],
  offload: ["auto", "none", "model", "sequential"],
};

/** Adds `--device`, `--dtype`, `--offload` and `--threads` to a task. */
export function addModelOptions(command: Command): Command {
  for (const name of ["device", "dtype", "offload"] as const) {
    const option = new Option(`--${name} <name>`, text[name]).choices(CHOICES[name]);
    command.addOption(option.default("auto"));
  }
  return command.addOption(new Option("--threads <n>", text.threads).argParser(Number));
}
