import { RequestError } from "../errors.ts";
import type { Device } from "../onnx/mod.ts";
import { DEVICES } from "../onnx/dtype_policy.ts";

/**
 * Where to compute, as people say it. `"cuda:1"` is the second of the GPUs that CUDA shows to this
 * program; `"cuda"` is the first.
 */
export type DeviceName = "auto" | Device | `cuda:${number}`;

/** What a name stands for. */
export interface NamedDevice {
  readonly device: "auto" | Device;
  /** The GPU's number among those that CUDA shows to this program. */
  readonly deviceId: number;
}

/** The names, for people; N is a number. */
const DEVICE_NAMES: readonly string[] = ["auto", ...DEVICES, "cuda:N"];

/** Reads a name; `undefined` where it is none. */
export function parseDevice(name: string): NamedDevice | undefined {
  const [, number] = /^cuda:(\d{1,3})$/.exec(name) ?? [];
  if (number !== undefined) return { device: "cuda", deviceId: Number(number) };
  const device = (["auto", ...DEVICES] as const).find((known) => known === name);
  return device && { device, deviceId: 0 };
}

/** How many GPUs to draw on, as people say it. */
export type GpuCount = number | "all";

/** Whether it is a count of GPUs. */
function isGpuCount(value: unknown): value is GpuCount {
  return value === "all" || Number.isSafeInteger(value) && Number(value) >= 1;
}

/**
 * What a name stands for, where so many GPUs can be had with it.
 *
 * @throws {RequestError} Where it is no name, or several GPUs are asked for elsewhere than on CUDA.
 */
export function expectDevice(name: string, gpus: GpuCount = 1): NamedDevice {
  const named = parseDevice(name);
  if (named === undefined) throw wrongDevice(name);
  if (!isGpuCount(gpus)) throw wrongCount(gpus);
  const { device } = named;
  if (gpus !== 1 && (device === "cpu" || device === "webgpu")) throw onlyOnCuda(gpus, device);
  return named;
}

function wrongDevice(asked: string): RequestError {
  const known = DEVICE_NAMES.map((name) => JSON.stringify(name));
  return new RequestError(`device is "${asked}"; expected one of ${known.join(", ")}.`, {
    zh: `device 是 "${asked}"；应为 ${known.join("、")} 之一。`,
  });
}

function wrongCount(gpus: unknown): RequestError {
  return new RequestError(`gpus is ${gpus}; expected a whole number from 1, or "all".`, {
    zh: `gpus 是 ${gpus}；应为 1 以上的整数，或 "all"。`,
  });
}

function onlyOnCuda(gpus: GpuCount, device: Device): RequestError {
  const [en, zh] = device === "cpu" ? ["the CPU", "CPU"] : ["WebGPU", "WebGPU"];
  return new RequestError(
    `gpus is ${gpus}, but device is "${device}": only CUDA draws on several GPUs. Leave gpus out for ` +
      `${en}, or device out for CUDA.`,
    {
      zh: `gpus 是 ${gpus}，但 device 是 "${device}"：只有 CUDA 能用多块显卡。` +
        `用 ${zh} 时请去掉 gpus，用 CUDA 时请去掉 device。`,
    },
  );
}
