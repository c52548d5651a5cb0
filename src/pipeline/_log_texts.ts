import type { Texts } from "../language.ts";
import type { DeviceChoice } from "../machine/mod.ts";

/** What the log of a pipeline says. */
export const LOG_TEXTS: Texts<{
  readonly gpus: (gpus: readonly string[]) => string;
  readonly place: (place: DeviceChoice) => string;
  readonly vaeFallback: string;
  readonly operatorFallback: (reason: string) => string;
  readonly cut: (tokens: number, encoder: string, read: number) => string;
}> = {
  en: {
    gpus: (gpus) => `On ${gpus.length} GPUs: ${gpus.join(", ")}.`,
    place: ({ device, gpu, reason }) =>
      reason === undefined
        ? `On CUDA: ${gpu ?? "an NVIDIA GPU"}.`
        : `On ${device === "webgpu" ? `WebGPU (${gpu})` : "the CPU"}: ${reason.en}.`,
    vaeFallback: "The VAE overflows in float16; it decodes in float32 from now on.",
    operatorFallback: (reason) =>
      `The toolkit's own kernels cannot be used (${reason}); with ONNX Runtime's alone a step ` +
      "takes about a fifth longer.",
    cut: (tokens, encoder, read) =>
      `A prompt has ${tokens} tokens; ${encoder} reads the first ${read}.`,
  },
  zh: {
    gpus: (gpus) => `使用 ${gpus.length} 块显卡：${gpus.join("、")}。`,
    place: ({ device, gpu, reason }) =>
      reason === undefined
        ? `使用 CUDA：${gpu ?? "NVIDIA GPU"}。`
        : `使用 ${device === "webgpu" ? `WebGPU（${gpu}）` : "CPU"}：${reason.zh}。`,
    vaeFallback: "VAE 在 float16 下溢出；从现在起改用 float32 解码。",
    operatorFallback: (reason) =>
      `无法使用本工具箱自带的内核（${reason}）；只用 ONNX Runtime 的内核时，每一步约慢五分之一。`,
    cut: (tokens, encoder, read) => `提示词有 ${tokens} 个 token；${encoder} 只读取前 ${read} 个。`,
  },
};

/** GPUs by their numbers, with their names where they are known. */
export function gpusOf(first: DeviceChoice): string[] {
  return [first, ...first.others ?? []].map(({ deviceId = 0, gpu }) =>
    `cuda:${deviceId}${gpu === undefined ? "" : ` (${gpu})`}`
  );
}
