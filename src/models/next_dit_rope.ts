/**
 * Where a caption's tokens and a picture's patches stand, and the rotary tables of these places.
 *
 * @module
 */
import { RequestError } from "../errors.ts";
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
  const frequencies = config.axes_dims.flatMap((dim, axis) =>
    Array.from({ length: dim / 2 }, (_, index) => {
      return { axis, frequency: ROPE_THETA ** (-2 * index / dim) };
    })
  );
  const tables = (length: number, position: (index: number) => readonly number[]) => {
    const positions = Array.from({ length }, (_, index) => position(index));
    return tabulate(length, frequencies.length, (row, column) => {
      const { axis, frequency } = frequencies[column]!;
      return Math.fround(positions[row]![axis]! * frequency);
    });
  };
  return {
    caption: tables(captionLength, (token) => [token, 0, 0]),
    image: tables(rows * columns, (patch) => {
      return [captionLength, Math.floor(patch / columns), patch % columns];
    }),
  };
}
