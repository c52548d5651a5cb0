import { RequestError } from "../errors.ts";
import { MAX_PIXELS } from "../image/mod.ts";
import type { Settings } from "../settings/mod.ts";
import type { NoiseVariation } from "./_varied_noise.ts";

/**
 * How the settings vary the noise; a random seed was drawn for them before.
 *
 * @param factor Pixels of a latent, along a side.
 * @throws {RequestError} When a seed is given without a strength, or the other size is none.
 */
export function variationOf(
  { variation, seedResizeFrom }: Pick<Settings, "variation" | "seedResizeFrom">,
  factor: number,
): NoiseVariation {
  if (variation?.seed !== undefined && variation.strength === undefined) {
    throw new RequestError({
      en:
        "The other seed of a variation needs variation.strength (--variation-strength): how far to " +
        "go to it, such as 0.1.",
      zh:
        "变化所用的另一种子需要 variation.strength（--variation-strength）：与它的混合程度，例如 0.1。",
    });
  }
  const sides = seedResizeFrom?.split("x").map(Number);
  const [columns, rows] = (sides ?? []).map((side) => Math.floor(side / factor));
  const isSize = sides === undefined ||
    rows! > 0 && columns! > 0 && sides[0]! * sides[1]! <= MAX_PIXELS;
  if (!isSize) {
    throw new RequestError(
      `seedResizeFrom is ${seedResizeFrom}; expected a size such as 512x512.`,
      {
        zh: `seedResizeFrom 是 ${seedResizeFrom}；应为尺寸，例如 512x512。`,
      },
    );
  }
  const { seed, strength } = variation ?? {};
  return {
    variation: strength === undefined ? undefined : { seed: seed!, strength },
    resizeFrom: sides === undefined ? undefined : [rows!, columns!],
  };
}
