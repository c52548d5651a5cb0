import { NewBieError } from "../errors.ts";
import type { Device } from "../onnx/mod.ts";
import { type PartName, PARTS } from "../families/mod.ts";
import { OFFLOAD_MODES, type OffloadMode } from "./checkpoint/memory.ts";

const GB = 1e9;

/** A part of the pipeline needs more memory than the device has left. */
export class DeviceMemoryError extends NewBieError {
  override name = "DeviceMemoryError";
  /** The part that was at work. */
  readonly part: PartName;
  /** The offload mode that it was at work in. */
  readonly offload: OffloadMode;
  /** The next mode that needs less, if there is one. */
  readonly suggestion?: OffloadMode;

  /** @param peak What each mode takes at the model's own picture size, in bytes. */
  constructor(
    part: PartName,
    device: Device,
    offload: OffloadMode,
    peak: Readonly<Record<OffloadMode, number>>,
    options: ErrorOptions,
  ) {
    const later = OFFLOAD_MODES.slice(OFFLOAD_MODES.indexOf(offload) + 1);
    const suggestion = later.find((mode) => peak[mode] < peak[offload]);
    const name = PARTS[part];
    const size = suggestion && (peak[suggestion] / GB).toFixed(1);
    const remedy = suggestion
      ? [
        `Use --offload ${suggestion}, which needs about ${size} GB for a picture of the model's own ` +
        "size, or ask for a smaller picture.",
        `请使用 --offload ${suggestion}（模型默认尺寸约需 ${size} GB），或生成更小的图片。`,
      ]
      : [
        "Ask for a smaller picture, or make the model smaller: deno task quantize",
        "请生成更小的图片，或缩小模型：deno task quantize",
      ];
    super(
      `The ${name.en} does not fit into the memory of the ${
        device === "cpu" ? "computer" : "GPU"
      } ` +
        `(offload: ${offload}). ${remedy[0]}`,
      {
        ...options,
        zh: `${name.zh}放不进${device === "cpu" ? "内存" : "显存"}（offload: ${offload}）。${
          remedy[1]
        }`,
      },
    );
    this.part = part;
    this.offload = offload;
    if (suggestion) this.suggestion = suggestion;
  }
}
