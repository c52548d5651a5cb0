/** Drawing twice: small first, then larger from that. */
import { RequestError } from "../errors.ts";
import { DEFAULT_HIRES_STRENGTH, DEFAULT_UPSCALER, type Settings } from "../settings/mod.ts";
import { firstStepOf } from "./_picture_start.ts";
import { findUpscaler } from "./find_upscaler.ts";

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
  /** {@linkcode LATENT}, {@linkcode LANCZOS}, or the path of a network. */
  readonly upscaler: string;
}

/**
 * What is to be drawn a second time.
 *
 * @throws {RequestError} When a setting of it is given without the scale, with a mask, or the network
 *   is not there.
 */
export async function hiresOf(
  { hires, width, height, numInferenceSteps }: Pick<
    Settings,
    "hires" | "width" | "height" | "numInferenceSteps"
  >,
  { multiple, isMasked }: { readonly multiple: number; readonly isMasked: boolean },
): Promise<Hires | undefined> {
  if (hires === undefined) return undefined;
  const { scale, strength = DEFAULT_HIRES_STRENGTH, steps = numInferenceSteps } = hires;
  if (scale === undefined) {
    const [name] = Object.keys(hires);
    throw new RequestError(`hires.${name} needs hires.scale: how many times as large.`, {
      zh: `hires.${name} 需要 hires.scale：放大多少倍。`,
    });
  }
  if (isMasked) {
    throw new RequestError(
      "hires cannot be combined with a mask: enlarge the picture afterwards.",
      {
        zh: "hires 不能与蒙版同时使用：请在之后再放大图片。",
      },
    );
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
