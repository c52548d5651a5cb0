import { type PartName, PARTS } from "../families/mod.ts";
import type { Texts } from "../language.ts";
import type { Device } from "../onnx/mod.ts";
import type { OffloadMode } from "../pipeline/checkpoint/memory.ts";

interface Catalogue {
  readonly models: Readonly<Record<"used" | "demo" | "published", string>>;
  readonly bindingWorks: string;
  readonly bindingMissing: string;
  bindingBroken(reason: string): string;
  glibcOld(glibc: string, minimum: string): string;
  noFolder(folder: string): string;
  readOnly(folder: string): string;
  diskFull(folder: string, free: string): string;
  diskSmall(folder: string, free: string, needed: string): string;
  readonly ownKernels: string;
  severalGpus(usable: readonly string[]): string;
  largerGpuIdle(index: number, free: string): string;
  adapter(name: string, hasFloat16: boolean | undefined, buffer: string): string;
  softwareAdapter(name: string): string;
  readonly noAdapter: string;
  modelFound(isDemo: boolean): string;
  publishedAbsent(bytes: string): string;
  partMissing(name: PartName, slot: string): string;
  partDamaged(name: PartName, problem: string): string;
  /** Memory is that of the machine, or of GPU 0. */
  fits(on: Device, model: string, needed: string, have: string, mode: OffloadMode): string;
  busy(on: Device, model: string, needed: string, have: string, total: string): string;
  small(on: Device, model: string, needed: string, have: string): string;
}

export const TEXTS: Texts<Catalogue> = {
  en: {
    models: {
      used: "The model",
      demo: "The demo model",
      published: "The published model (3.5B)",
    },
    bindingWorks: "ONNX Runtime loads and computes on the CPU.",
    bindingMissing: "ONNX Runtime is not installed.",
    bindingBroken: (reason) => `ONNX Runtime does not load: ${reason}`,
    glibcOld: (glibc, minimum) =>
      `ONNX Runtime needs glibc ${minimum} or newer, this system has ${glibc}. A container brings ` +
      "its own.",
    noFolder: (folder) =>
      `Pictures go to ${folder}, where a file stands, or a link that leads nowhere: to a disk that is ` +
      "not mounted, perhaps.",
    readOnly: (folder) =>
      `You may not write to ${folder} here. Started in a folder of your own, pictures go to ` +
      `${folder} there.`,
    diskFull: (folder, free) => `${free} are free for ${folder}. This shows what takes the space.`,
    diskSmall: (folder, free, needed) =>
      `${free} are free for ${folder}, and the published model's files take ${needed}. They may ` +
      "lie on another disk.",
    ownKernels:
      "`create:fast`, and `create` in the image, draw by the toolkit's own kernels, every " +
      "other task by ONNX Runtime's. With all parts loaded the former take less memory than is said " +
      "here.",
    severalGpus: (usable) =>
      `Several GPUs can draw: ${usable.join(", ")}. By default the first does; --device ` +
      `${
        usable.at(-1)
      } takes another, and --gpus all computes the prompt and the negative prompt at ` +
      "the same time and draws several pictures side by side.",
    largerGpuIdle: (index, free) =>
      `GPU ${index} has more free memory (${free}), but the first GPU is the one that is used.`,
    adapter: (name, hasFloat16, buffer) =>
      `WebGPU has ${name}: it computes in ${
        { true: "float16", false: "float32 alone", undefined: "float16 where it can" }[
          `${hasFloat16}`
        ]
      }, its buffers hold up to ${buffer}.`,
    softwareAdapter: (name) =>
      `WebGPU has ${name}, a program that imitates a GPU. It is taken only by --device webgpu.`,
    noAdapter: "WebGPU finds no driver for the card. The loader and Mesa's drivers are packages.",
    modelFound: (isDemo) =>
      isDemo ? "The demo model is complete." : "The model is complete, and its headers are sound.",
    publishedAbsent: (bytes) =>
      `The published model's files (${bytes}) are not here; the demo model draws. They belong ` +
      "into these four folders, each with its config.json:",
    partMissing: (name, slot) => `The ${PARTS[name].en} is missing: nothing in ${slot}/.`,
    partDamaged: (name, problem) => `The ${PARTS[name].en} cannot be used: ${problem}`,
    fits: (on, model, needed, have, mode) =>
      `${model} fits ${on === "cpu" ? "in memory" : "the GPU"}` +
      (mode === "none" ? "" : ` with offload: ${mode}`) +
      `: needs ${needed} of ${have}.`,
    busy: (on, model, needed, have, total) =>
      `${model} needs ${needed}, and ${have} of ${total} are free ` +
      (on === "cpu" ? "in memory" : "on the GPU") + ". This shows what takes the rest.",
    small: (on, model, needed, have) =>
      `${model} does not fit ${on === "cpu" ? "in memory" : "the GPU"}: needs ${needed} ` +
      `even with offload: sequential, there are ${have}.`,
  },
  zh: {
    models: { used: "模型", demo: "演示模型", published: "正式模型（3.5B）" },
    bindingWorks: "ONNX Runtime 可以加载，并能在 CPU 上运算。",
    bindingMissing: "没有安装 ONNX Runtime。",
    bindingBroken: (reason) => `ONNX Runtime 无法加载：${reason}`,
    glibcOld: (glibc, minimum) =>
      `ONNX Runtime 需要 glibc ${minimum} 或更新的版本，本系统是 ${glibc}。容器自带合适的版本。`,
    noFolder: (folder) =>
      `图片保存在 ${folder}，但那里是一个文件，或一个无效的链接（也许磁盘没有挂载）。`,
    readOnly: (folder) =>
      `这里的 ${folder} 不可写。请在自己的文件夹中启动，图片会保存在那里的 ${folder}。`,
    diskFull: (folder, free) => `${folder} 所在磁盘只剩 ${free}。下面的命令显示空间被什么占用。`,
    diskSmall: (folder, free, needed) =>
      `${folder} 所在磁盘只剩 ${free}，正式模型的文件需要 ${needed}。可以放在别的磁盘上。`,
    ownKernels:
      "`create:fast` 以及镜像中的 `create` 用本工具箱自带的内核作画，其他任务用 ONNX Runtime 的内核。" +
      "全部部件都加载时，前者所需的显存比这里所说的少。",
    severalGpus: (usable) =>
      `有多块显卡可以作画：${usable.join("、")}。默认使用第一块；--device ${
        usable.at(-1)
      } 换用另一块，` +
      "--gpus all 同时计算提示词与反向提示词，并行绘制多张图片。",
    largerGpuIdle: (index, free) =>
      `${index} 号显卡的空闲显存更多（${free}），但默认使用第一块显卡。`,
    adapter: (name, hasFloat16, buffer) =>
      `WebGPU 可用 ${name}：${
        { true: "支持 float16", false: "只支持 float32", undefined: "能用 float16 时用 float16" }[
          `${hasFloat16}`
        ]
      }，单个缓冲区最大 ${buffer}。`,
    softwareAdapter: (name) =>
      `WebGPU 可用 ${name}，这是模拟显卡的程序，只有指定 --device webgpu 时才使用。`,
    noAdapter: "WebGPU 找不到显卡驱动。加载器和 Mesa 驱动都有软件包。",
    modelFound: (isDemo) => isDemo ? "演示模型完整。" : "模型完整，文件头没有问题。",
    publishedAbsent: (bytes) =>
      `这里没有正式模型的文件（${bytes}），由演示模型作画。请放入这四个文件夹，并各带一份 ` +
      "config.json：",
    partMissing: (name, slot) => `缺少${PARTS[name].zh}：${slot}/ 里没有文件。`,
    partDamaged: (name, problem) => `${PARTS[name].zh}无法使用：${problem}`,
    fits: (on, model, needed, have, mode) =>
      `${model}${mode === "none" ? "" : `在 offload: ${mode} 时`}放得进` +
      `${on === "cpu" ? "内存" : "显存"}：需要 ${needed}，可用 ${have}。`,
    busy: (on, model, needed, have, total) =>
      `${model}需要 ${needed}，${on === "cpu" ? "内存" : "显存"}共 ${total}，现在只空闲 ${have}。` +
      "下面的命令显示被什么占用。",
    small: (on, model, needed, have) =>
      `${model}放不进${on === "cpu" ? "内存" : "显存"}：即使 offload: sequential 也需要 ` +
      `${needed}，只有 ${have}。`,
  },
};
