import { RequestError } from "../errors.ts";
import type { OffloadMode } from "./checkpoint/memory.ts";

/** What was asked for, and what there is. */
export interface MemoryShortage {
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** Bytes that the picture would take, by estimate. */
  readonly needed: number;
  /** Bytes that this program may have, with what it holds already. */
  readonly available: number;
  /** Whether that is the limit of a container or a job, and not the machine's own memory. */
  readonly isLimit: boolean;
  /** The largest picture of the same shape that would fit, if any. */
  readonly fits?: { readonly width: number; readonly height: number } | undefined;
  /** The mode in which the picture that was asked for would fit, if any. */
  readonly suggestion?: OffloadMode | undefined;
}

/** A picture that cannot fit into the memory: refused, as the system would end the program for it. */
export class InsufficientMemoryError extends RequestError {
  override name = "InsufficientMemoryError";
  readonly shortage: MemoryShortage;

  constructor(shortage: MemoryShortage) {
    const { width, height, isLimit, fits, suggestion } = shortage;
    const [needed, available] = [show(shortage.needed), show(shortage.available)];
    const advice = [
      ...(fits === undefined ? [] : [[
        `${fits.width} × ${fits.height} would fit`,
        `${fits.width} × ${fits.height} 放得下`,
      ]]),
      ...(suggestion === undefined ? [] : [[
        `this size would fit with --offload ${suggestion}, more slowly`,
        `使用 --offload ${suggestion} 可以放下这个尺寸，但较慢`,
      ]]),
      ...(fits === undefined && suggestion === undefined
        ? [[
          "no size of this model would fit: make it smaller (deno task quantize)",
          "此模型的任何" +
          "尺寸都放不下：请缩小模型（deno task quantize）",
        ]]
        : []),
    ];
    super(
      `A picture of ${width} × ${height} takes about ${needed} of memory, and ` +
        (isLimit ? `this program is limited to ${available}` : `${available} can be had here`) +
        `: ${advice.map(([en]) => en).join("; ")}.`,
      {
        zh: `${width} × ${height} 的图片约需 ${needed} 内存，而` +
          (isLimit ? `本程序的内存上限是 ${available}` : `这里只有 ${available} 可用`) +
          `：${advice.map(([, zh]) => zh).join("；")}。`,
      },
    );
    this.shortage = shortage;
  }
}

function show(bytes: number): string {
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(0)} MB`;
  return `${(bytes / 1e9).toFixed(bytes < 10e9 ? 1 : 0)} GB`;
}
