import { NewBieError } from "../errors.ts";
import type { Texts } from "../language.ts";
import type { Device } from "../onnx/mod.ts";

/** The device that was asked for by name cannot be used on this machine. */
export class DeviceError extends NewBieError {
  override name = "DeviceError";
  readonly device: Device;

  /** @param reason Why, and what to do, without a full stop. */
  constructor(device: Device, reason: Texts<string>, options?: ErrorOptions) {
    const name = device.toUpperCase();
    super(`${name} cannot be used: ${reason.en}.`, {
      ...options,
      zh: `无法使用 ${name}：${reason.zh}。`,
    });
    this.device = device;
  }
}
