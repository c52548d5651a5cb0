/** The shape of latents, for pictures of a size. */
import { RequestError } from "../errors.ts";
import type { NextDiTConfig } from "../models/mod.ts";
import type { Tensor } from "../tensor.ts";
import { expectDims, expectTensor } from "./parts/expect_tensor.ts";
import type { LatentsOptions } from "./types.ts";

/** What the shape depends on. */
interface LatentModel {
  readonly transformerConfig: Pick<NextDiTConfig, "in_channels" | "patch_size" | "axes_lens">;
  /** Pixels per latent. */
  readonly vaeScaleFactor: number;
}

/**
 * The latents of one picture: [C, height / factor, width / factor].
 *
 * @param height Pixels.
 * @param width Pixels.
 * @throws {RequestError} When the model cannot draw a picture of this size.
 */
export function sampleDims(
  { transformerConfig, vaeScaleFactor }: LatentModel,
  height: number,
  width: number,
): [number, number, number] {
  const { in_channels, patch_size, axes_lens } = transformerConfig;
  const multiple = vaeScaleFactor * patch_size;
  for (const [name, pixels] of Object.entries({ height, width })) {
    if (Number.isSafeInteger(pixels) && pixels > 0 && pixels % multiple === 0) continue;
    const nearest = Math.max(multiple, Math.round(pixels / multiple) * multiple);
    throw new RequestError(
      `${name} is ${pixels}; expected a number of pixels that is a multiple of ` +
        `${multiple}` + (Number.isFinite(nearest) ? `, such as ${nearest}.` : "."),
      {
        zh: `${name === "width" ? "宽度" : "高度"}是 ${pixels}；应为 ${multiple} 的倍数（像素）` +
          (Number.isFinite(nearest) ? `，例如 ${nearest}。` : "。"),
      },
    );
  }
  const [, rows = 0, columns = 0] = axes_lens;
  if (height > rows * multiple || width > columns * multiple) {
    const [mostWide, mostHigh] = [columns * multiple, rows * multiple];
    throw new RequestError(
      `The picture would be ${width} × ${height} pixels; this model draws at most ${mostWide} × ` +
        `${mostHigh}. Ask for a smaller picture.`,
      {
        zh: `图片将为 ${width} × ${height} 像素；这个模型最多画 ${mostWide} × ${mostHigh}。` +
          "请减小图片尺寸。",
      },
    );
  }
  return [in_channels, height / vaeScaleFactor, width / vaeScaleFactor];
}

/**
 * Latents that were given: they say how many and how large, but must agree with what else was said.
 *
 * @throws {RequestError} When they do not, or do not fit the model.
 */
export function givenLatents(
  model: LatentModel,
  latents: Tensor,
  { batchSize, height, width }: LatentsOptions,
): Tensor {
  expectTensor("latents", latents, 4);
  const [batch, , rows, columns] = latents.dims as [number, number, number, number];
  const { vaeScaleFactor: factor } = model;
  const sample = sampleDims(model, height ?? rows * factor, width ?? columns * factor);
  expectDims("latents", latents, [batchSize ?? batch, ...sample]);
  return latents;
}
