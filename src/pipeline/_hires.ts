/** Drawing twice: small first, then larger from that. */
import { RequestError } from "../errors.ts";
import { resizeImage, resizePlanes, type RgbImage, tensorFromImage } from "../image/mod.ts";
import { DEFAULT_HIRES_STRENGTH, DEFAULT_UPSCALER, type Settings } from "../settings/mod.ts";
import type { Tensor } from "../tensor.ts";
import { stack } from "./_batches.ts";
import { firstStepOf } from "./_picture_start.ts";
import type { HeldPart } from "./parts/held_part.ts";
import type { Upscaler } from "./parts/upscaler.ts";
import type { Vae } from "./parts/vae.ts";
import { findUpscaler, type FoundUpscaler } from "./find_upscaler.ts";

/** Enlarges latents. */
export const LATENT = "latent";
/** Enlarges pixels by a filter. */
export const LANCZOS = "lanczos";

/** The second drawing. */
export interface Hires {
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  /** The step with which it begins. */
  readonly first: number;
  /** What enlarges. */
  readonly upscaler: typeof LATENT | typeof LANCZOS | FoundUpscaler;
}

/**
 * What is to be drawn a second time.
 *
 * @param multiple What both sides are multiples of, in pixels.
 * @throws {RequestError} When a setting of it is given without the scale, or the network is not there.
 */
export async function hiresOf(
  { hires, width, height, numInferenceSteps }: Pick<
    Settings,
    "hires" | "width" | "height" | "numInferenceSteps"
  >,
  multiple: number,
): Promise<Hires | undefined> {
  if (hires === undefined) return undefined;
  const { scale, strength = DEFAULT_HIRES_STRENGTH, steps = numInferenceSteps } = hires;
  if (scale === undefined) {
    const [name] = Object.keys(hires);
    throw new RequestError({
      en:
        `hires.${name} (--hires-${name}) needs hires.scale (--hires): how many times as large, such ` +
        "as 2.",
      zh: `hires.${name}（--hires-${name}）需要 hires.scale（--hires）：放大多少倍，例如 2。`,
    });
  }
  const { upscaler = DEFAULT_UPSCALER } = hires;
  const larger = (side: number) => Math.round(side * scale / multiple) * multiple;
  return {
    width: larger(width),
    height: larger(height),
    steps,
    first: firstStepOf(steps, strength),
    upscaler: upscaler === LATENT || upscaler === LANCZOS ? upscaler : await findUpscaler(upscaler),
  };
}

/** What the second drawing starts from. */
export interface Enlarged {
  /** [pictures, C, h, w]. */
  readonly latents: Tensor;
  /** The same as pictures; absent where the latents were enlarged. */
  readonly images?: readonly RgbImage[];
}

/** Enlarges latents themselves. */
export function enlargeLatents(
  samples: readonly Tensor[],
  { width, height }: Hires,
  pixelsPerLatent: number,
): Enlarged {
  const size = { height: height / pixelsPerLatent, width: width / pixelsPerLatent };
  return { latents: stack(samples.map((sample) => resizePlanes(sample, size))) };
}

/**
 * Enlarges the pictures of latents.
 *
 * @param samples [1, C, h, w] each.
 * @param network Enlarges; what it makes larger or smaller than asked for, a filter brings to size.
 *   Without it the filter enlarges.
 * @param finish What becomes of a picture before that.
 */
export async function enlargePictures(
  samples: readonly Tensor[],
  { width, height }: Hires,
  { vae, network, finish }: {
    readonly vae: Vae;
    readonly network: HeldPart<Upscaler> | undefined;
    readonly finish: (image: RgbImage, index: number) => RgbImage;
  },
): Promise<Enlarged> {
  const drawn: RgbImage[] = [];
  for (const [index, sample] of samples.entries()) {
    const [image] = await vae.decodeImages(sample);
    drawn.push(finish(image!, index));
  }
  const larger =
    await network?.use((network) => Array.fromAsync(drawn, (image) => network.upscale(image))) ??
      drawn;
  const images = larger.map((image) => resizeImage(image, { width, height }));
  const latents: Tensor[] = [];
  for (const image of images) latents.push(await vae.encode(tensorFromImage(image)));
  return { images, latents: stack(latents) };
}
