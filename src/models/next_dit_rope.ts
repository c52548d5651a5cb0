/**
 * Where a caption's tokens and a picture's patches stand, and the rotary tables of these places.
 *
 * @module
 */
import { RequestError } from "../errors.ts";
import { tensor } from "../tensor.ts";
import { type RopeTensors, tabulate } from "./_rotary.ts";
import type { NextDiTConfig } from "./next_dit_config.ts";

const ROPE_THETA = 10_000;

/**
 * Checks that a caption and an image have places in the rotary tables.
 *
 * @throws {RequestError} When a position lies beyond `axes_lens`.
 */
export function checkPlaces(
  { axes_lens }: NextDiTConfig,
  captionLength: number,
  rows: number,
  columns: number,
): void {
  const [captionLimit, rowLimit, columnLimit] = axes_lens as [number, number, number];
  if (captionLength >= captionLimit) {
    throw new RequestError(
      `The prompt has ${captionLength} tokens; this transformer places at most ` +
        `${captionLimit - 1} (axes_lens[0] = ${captionLimit}). Shorten the prompt.`,
      {
        zh: `提示词有 ${captionLength} 个 token；这个 Transformer 最多容纳 ` +
          `${captionLimit - 1} 个（axes_lens[0] = ${captionLimit}）。请缩短提示词。`,
      },
    );
  }
  if (rows > rowLimit || columns > columnLimit) {
    throw new RequestError(
      `The picture is ${rows} × ${columns} patches; this transformer places at most ` +
        `${rowLimit} × ${columnLimit} (axes_lens). Ask for a smaller picture.`,
      {
        zh: `图片为 ${rows} × ${columns} 个图块；这个 Transformer 最多容纳 ` +
          `${rowLimit} × ${columnLimit} 个（axes_lens）。请减小图片尺寸。`,
      },
    );
  }
}

/**
 * The rotary tables for a caption and an image. Caption token i stands at (i, 0, 0), the patch at
 * row r and column c at (caption length, r, c). Angles are computed in float64 and rounded to
 * float32 before the cosine, as upstream's `precompute_freqs_cis` does.
 *
 * @param captionLength Caption tokens.
 * @param rows Patches down.
 * @param columns Patches across.
 * @throws {RequestError} When a position lies beyond `axes_lens`.
 */
export function nextDiTRopeTables(
  config: NextDiTConfig,
  captionLength: number,
  rows: number,
  columns: number,
): { caption: RopeTensors; image: RopeTensors } {
  checkPlaces(config, captionLength, rows, columns);
  // The places of a picture are many and their coordinates few: each has its cosines once.
  const counts = [captionLength + 1, Math.max(rows, 1), Math.max(columns, 1)];
  const axes = config.axes_dims.map((dim, axis) =>
    tabulate(counts[axis]!, dim / 2, (coordinate, index) => {
      return Math.fround(coordinate * ROPE_THETA ** (-2 * index / dim));
    })
  );
  return {
    caption: tablesAt(axes, captionLength, (token) => [token, 0, 0]),
    image: tablesAt(axes, rows * columns, (patch) => {
      return [captionLength, Math.floor(patch / columns), patch % columns];
    }),
  };
}

/** The tables of so many places, put together from those of each axis' coordinates. */
function tablesAt(
  axes: readonly RopeTensors[],
  length: number,
  place: (index: number) => readonly number[],
): RopeTensors {
  const widths = axes.map(({ cos }) => cos.dims[1]!);
  const width = widths.reduce((sum, width) => sum + width, 0);
  const [cos, sin] = [new Float32Array(length * width), new Float32Array(length * width)];
  let at = 0;
  for (let index = 0; index < length; index++) {
    for (const [axis, coordinate] of place(index).entries()) {
      const { cos: { data: cosines }, sin: { data: sines } } = axes[axis]!;
      const from = coordinate * widths[axis]!;
      for (let offset = from; offset < from + widths[axis]!; offset++, at++) {
        cos[at] = cosines[offset]!;
        sin[at] = sines[offset]!;
      }
    }
  }
  return { cos: tensor(cos, [length, width]), sin: tensor(sin, [length, width]) };
}
