/** Drawing that starts from a picture: where on the way from noise it begins, and what a mask keeps. */
import { RequestError } from "../errors.ts";
import type { Scheduler } from "../schedulers/mod.ts";
import { type Tensor, tensor } from "../tensor.ts";
import { sampleOf } from "./_batches.ts";

/** How a mask's values between 0 and 1 are meant. */
export type MaskKind = "binary" | "differential";

/** A picture to start from. */
export interface PictureStart {
  /** What the encoder made of it, [1 or pictures, C, h, w]. */
  readonly latents: Tensor;
  /** Where it is drawn anew, [1 or pictures, 1, h, w]; absent for everywhere. */
  readonly mask?: { readonly values: Tensor; readonly kind: MaskKind } | undefined;
}

/**
 * The step with which a run begins, as diffusers' pipelines count (`get_timesteps`): with strength 1
 * the first one, with strength 0 the end.
 */
export function firstStepOf(steps: number, strength: number): number {
  return Math.floor(Math.max(steps - Math.min(steps * strength, steps), 0));
}

/** (1 − t)·noise + t·image: the image as it is at a time of the way from noise (0) to it (1). */
function atTime(noise: Float32Array, image: Float32Array, time: number): Float32Array {
  return noise.map((value, index) => (1 - time) * value + time * image[index]!);
}

/**
 * A mask of pixels at the size of the latents: the pixel at the top left of each latent's square, as
 * PyTorch's `interpolate` in mode nearest takes it.
 *
 * @param mask [B, 1, H, W].
 * @param factor Pixels of a latent, along a side.
 * @throws {RequestError} When nothing of it would be drawn anew.
 */
export function latentMask({ data, dims }: Tensor, factor: number, kind: MaskKind): Tensor {
  const [batch, , height, width] = dims as [number, number, number, number];
  const [rows, columns] = [height / factor, width / factor];
  const values = new Float32Array(batch * rows * columns);
  for (let index = 0; index < values.length; index++) {
    const row = Math.floor(index / columns) % rows;
    const sample = Math.floor(index / (rows * columns));
    const pixel = (sample * height + row * factor) * width + (index % columns) * factor;
    values[index] = data[pixel]!;
  }
  const isDrawn = (value: number) => kind === "binary" ? value >= DRAWN : value > 0;
  if (values.some(isDrawn)) return tensor(values, [batch, 1, rows, columns]);
  throw new RequestError(
    data.some(isDrawn)
      ? {
        en: "What the mask (maskImage) marks is too small: it is read at one pixel in " +
          `${factor} × ${factor}, and none of these is white. Mark a larger part.`,
        zh: `蒙版（maskImage）标出的部分太小：每 ${factor} × ${factor} 个像素只读取一个，` +
          "其中没有白色。请标出更大的部分。",
      }
      : data.some((value) => value > 0)
      ? {
        en:
          "The mask (maskImage) is dark everywhere: what is at least half white is drawn anew. Make it " +
          "brighter, or use differentialMask (--differential-mask), with which each grey counts.",
        zh:
          "蒙版（maskImage）到处都偏暗：至少半白的部分才会重画。请调亮，或使用 differentialMask（--differential-mask），让每个灰度都有意义。",
      }
      : {
        en:
          "The mask (maskImage) is black everywhere, so nothing would be drawn anew. White is what is drawn " +
          "anew.",
        zh: "蒙版（maskImage）全为黑色，没有任何部分会重画。白色表示要重画的部分。",
      },
  );
}

/** From this value on a binary mask means: drawn anew. */
export const DRAWN = 0.5;

/** What a step leaves, with what a mask keeps put back at the noise of the step's end. */
export type KeepMasked = (
  latents: Float32Array,
  step: { readonly index: number; readonly nextTimestep: number },
) => Float32Array;

/**
 * Puts back what a mask keeps.
 *
 * A binary mask keeps a place throughout. A differential one lets a place of value m go for the last
 * m of the steps, as diffusers' community pipelines of that name do; the last step is free everywhere.
 *
 * @param noise One picture's, [C, h, w].
 * @param image Its latents, as many.
 * @param mask Its mask, [h, w].
 * @param first The step with which the run begins, of `steps` in all.
 */
function keepMasked(
  noise: Float32Array,
  image: Float32Array,
  mask: Float32Array,
  kind: MaskKind,
  { first, steps }: { readonly first: number; readonly steps: number },
): KeepMasked {
  const count = steps - first;
  const isKept = (value: number, index: number) => {
    if (kind === "binary") return value < DRAWN;
    return index < steps - 1 && 1 - value > (index - first) / count;
  };
  return (latents, { index, nextTimestep }) => {
    const kept = atTime(noise, image, nextTimestep);
    return latents.map((value, at) => isKept(mask[at % mask.length]!, index) ? kept[at]! : value);
  };
}

/** One picture's share of a start. */
export interface OwnStart {
  readonly latents: Float32Array;
  readonly keep: KeepMasked | undefined;
}

/** Where one picture's run begins, and what is kept after each of its steps. */
export function startOf(
  { latents, mask }: PictureStart,
  noise: Float32Array,
  { scheduler, steps, first, index, count }: {
    readonly scheduler: Scheduler;
    readonly steps: number;
    readonly first: number;
    /** Which of the call's pictures, of how many. */
    readonly index: number;
    readonly count: number;
  },
): OwnStart {
  const image = sampleOf("image", latents, index, count).data;
  const time = scheduler.timesteps(steps)[first]!;
  const values = mask && sampleOf("maskImage", mask.values, index, count).data;
  return {
    latents: atTime(noise, image, time),
    keep: mask && keepMasked(noise, image, values!, mask.kind, { first, steps }),
  };
}
