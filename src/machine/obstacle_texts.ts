import type { Texts } from "../language.ts";
import type { Obstacle } from "./provider.ts";

/** Where an obstacle was met. */
export interface ObstacleCircumstances {
  readonly wsl: boolean;
  readonly container: boolean;
}

type Clauses = {
  readonly [Code in Obstacle["code"]]: (
    obstacle: Extract<Obstacle, { code: Code }>,
    circumstances: ObstacleCircumstances,
  ) => string;
};

const CLAUSES: Texts<Clauses> = {
  en: {
    "platform": ({ os, arch }) => `CUDA needs Linux on x86_64, and this is ${os} on ${arch}`,
    "no-gpu": (_, { wsl, container }) =>
      wsl
        ? "Windows shows no NVIDIA GPU to WSL; if there is one, its driver belongs in Windows"
        : container
        ? "no NVIDIA GPU is visible in this container"
        : "there is no NVIDIA GPU",
    "gpus-hidden": ({ devices }) =>
      `CUDA_VISIBLE_DEVICES is ${JSON.stringify(devices)}, which names none of this machine's GPUs`,
    "gpu-not-passed": () =>
      "the machine has an NVIDIA GPU, but this container was started without it",
    "driver-missing": () => "there is an NVIDIA GPU, but no driver for it",
    "driver-broken": ({ complaint }) =>
      "the NVIDIA driver does not work" + (complaint === "" ? "" : `: ${complaint}`),
    "driver-silent": ({ seconds }) =>
      `the NVIDIA driver hangs: nvidia-smi did not answer within ${seconds} seconds`,
    "driver-old": ({ driver, minimum }, { wsl }) =>
      `NVIDIA's driver is ${driver}, and CUDA 13 needs ${minimum} or newer` +
      (wsl
        ? "; install it in Windows, never in WSL, and restart"
        : "; restart after installing it"),
    "gpu-old": ({ gpu, capability, minimum }) =>
      `${gpu} has compute capability ${capability.toFixed(1)}, and bfloat16 needs ` +
      `${minimum.toFixed(1)} or newer (Ampere)`,
    "provider-missing": () =>
      "ONNX Runtime's CUDA provider is not installed (a download of 180 MB)",
    "libraries-missing": ({ names }) =>
      `CUDA's libraries are not all there: ${names.join(", ")} missing`,
    "libraries-elsewhere": ({ paths }) =>
      `the loader does not look where these lie: ${paths.map(nameOf).join(", ")}`,
  },
  zh: {
    "platform": ({ os, arch }) => `CUDA 需要 x86_64 的 Linux，本机是 ${arch} 的 ${os}`,
    "no-gpu": (_, { wsl, container }) =>
      wsl
        ? "WSL 里看不到 NVIDIA 显卡；如果有显卡，驱动应装在 Windows 里"
        : container
        ? "这个容器里看不到 NVIDIA 显卡"
        : "没有 NVIDIA 显卡",
    "gpus-hidden": ({ devices }) =>
      `CUDA_VISIBLE_DEVICES 是 ${JSON.stringify(devices)}，其中没有本机的任何一块显卡`,
    "gpu-not-passed": () => "主机有 NVIDIA 显卡，但启动容器时没有把它交给容器",
    "driver-missing": () => "有 NVIDIA 显卡，但没有安装驱动",
    "driver-broken": ({ complaint }) =>
      "NVIDIA 驱动无法工作" + (complaint === "" ? "" : `：${complaint}`),
    "driver-silent": ({ seconds }) => `NVIDIA 驱动没有响应：nvidia-smi 在 ${seconds} 秒内没有回答`,
    "driver-old": ({ driver, minimum }, { wsl }) =>
      `NVIDIA 驱动版本是 ${driver}，CUDA 13 需要 ${minimum} 或更新的版本` +
      (wsl ? "；请装在 Windows 里，不要装在 WSL 里，装好后重启" : "；装好后请重启"),
    "gpu-old": ({ gpu, capability, minimum }) =>
      `${gpu} 的计算能力是 ${capability.toFixed(1)}，bfloat16 需要 ${minimum.toFixed(1)}` +
      "（Ampere）或更高",
    "provider-missing": () => "没有安装 ONNX Runtime 的 CUDA 执行提供程序（下载约 180 MB）",
    "libraries-missing": ({ names }) => `CUDA 的库不齐全，缺少：${names.join("、")}`,
    "libraries-elsewhere": ({ paths }) =>
      `加载器不会到这些库所在的文件夹去找：${paths.map(nameOf).join("、")}`,
  },
};

/** What an obstacle is, in words without a full stop, to be part of a sentence or one by itself. */
export function obstacleTexts(
  obstacle: Obstacle,
  circumstances: ObstacleCircumstances,
): Texts<string> {
  const say = ({ [obstacle.code]: clause }: Clauses) =>
    // Each member of the union has its own function; TypeScript cannot see that here.
    (clause as (obstacle: Obstacle, circumstances: ObstacleCircumstances) => string)(
      obstacle,
      circumstances,
    );
  return { en: say(CLAUSES.en), zh: say(CLAUSES.zh) };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
