import { resizeImage, type RgbImage } from "../image/mod.ts";
import { hashCachedFile } from "../integrity/mod.ts";
import type { DtypePolicy } from "../onnx/mod.ts";
import { withOptions } from "../runtime/with_options.ts";
import { LANCZOS } from "./_hires.ts";
import { findUpscaler } from "./find_upscaler.ts";
import { expectPixels } from "./parts/expect_pixels.ts";
import { Upscaler } from "./parts/upscaler.ts";
import type { UsedUpscaler } from "./types.ts";

/** How many times larger a picture becomes where a filter enlarges it and nobody says it. */
const DEFAULT_SCALE = 2;

/** How to enlarge a picture. */
export interface UpscaleOptions {
  /** `lanczos`, or a network's file or its name in models/upscaler. */
  readonly upscaler: string;
  /** How many times as wide and high; by default as the network does, or 2. */
  readonly scale?: number | undefined;
  /** The side of a tile in pixels of what the network makes; by default what suits it. */
  readonly tileSize?: number | undefined;
  /** Where and with which arithmetic a network runs. */
  readonly policy: DtypePolicy;
  /** On CUDA the GPU's number among those that CUDA shows to this program; by default the first. */
  readonly deviceId?: number | undefined;
}

/** An enlarged picture, and what made it so. */
export interface UpscaledPicture {
  readonly image: RgbImage;
  readonly scale: number;
  /** Absent where a filter enlarged it. */
  readonly network?: UsedUpscaler & { readonly scale: number; readonly tileSize: number };
}

/**
 * Enlarges a picture. What a network makes larger or smaller than asked for, a filter brings to size.
 *
 * @throws {RequestError} When the scale is out of range, there is no such network, or the picture would
 *   have more pixels than are written.
 */
export async function upscalePicture(
  image: RgbImage,
  { upscaler, policy, deviceId = 0, ...asked }: UpscaleOptions,
): Promise<UpscaledPicture> {
  const found = upscaler === LANCZOS ? undefined : await findUpscaler(upscaler);
  await using network = found &&
    await Upscaler.open(found.file, policy, withOptions({ deviceId }));
  const { scale = network?.scale ?? DEFAULT_SCALE, tileSize = network?.tileSize } = asked;
  expectPixels(image, scale);
  const enlarged = network === undefined ? image : await network.upscale(image, tileSize);
  const [width, height] = [image.width, image.height].map((side) =>
    Math.max(1, Math.round(side * scale))
  ) as [number, number];
  return {
    image: resizeImage(enlarged, { width, height }),
    scale,
    ...(found === undefined ? {} : {
      network: {
        name: found.name,
        sha256: await hashCachedFile(found.file, undefined),
        scale: network!.scale,
        tileSize: tileSize!,
      },
    }),
  };
}
