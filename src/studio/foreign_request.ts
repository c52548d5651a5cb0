import type { ForeignRecipe, LeftOver } from "../recipe/mod.ts";
import {
  type AskedSettings,
  leavesOf,
  mergeSettings,
  nested,
  SETTINGS,
  valueAt,
} from "../settings/mod.ts";

/** What another program's picture asks for here. */
export interface ForeignRequest {
  readonly request: AskedSettings;
  /** Whether the size had to be changed to one that the model can draw. */
  readonly isResized: boolean;
  /** What says nothing without the picture, or the mask, that the other program had. */
  readonly lacking: readonly LeftOver[];
}

/** Settings of a picture that was drawn from another one, and those of its mask. */
const OF_PICTURE = ["strength", "resize", "expand", "alpha_mask"];
const OF_MASK = ["mask_blur", "differential_mask", "overlay", "only_masked"];
/** Which files are read, nobody's picture says. */
const FILES = ["image", "mask"];

/**
 * A request with all that another program's notes say in words that this model knows.
 *
 * @param multiple What each side must be a multiple of; a side that is none becomes the nearest one.
 * @param given Which pictures there are to draw from; by default all that it needs.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const settings = { prompt: "1girl", width: 500, height: 512 };
 * const { request, isResized } = foreignRequest({ program: "ComfyUI", settings, left: [] }, 16);
 * assert.deepEqual([request.width, request.height, isResized], [496, 512, true]);
 * ```
 */
export function foreignRequest(
  { settings: said }: ForeignRecipe,
  multiple: number,
  given: { readonly image: boolean; readonly mask: boolean } = { image: true, mask: true },
): ForeignRequest {
  const lacking: LeftOver[] = [];
  const needing = [...given.image ? [] : OF_PICTURE, ...given.image && given.mask ? [] : OF_MASK];
  const taken = leavesOf(SETTINGS).flatMap(({ path, setting: { word } }) => {
    const value = valueAt(said, path);
    if (value === undefined || FILES.includes(word)) return [];
    if (!needing.includes(word)) return [[path, value] as const];
    lacking.push({ name: word, value: String(value) });
    return [];
  });
  const settings = nested(taken) as AskedSettings;
  const { width, height } = settings;
  if (width === undefined || height === undefined) {
    return { request: settings, isResized: false, lacking };
  }
  const nearest = (side: number) => Math.max(1, Math.round(side / multiple)) * multiple;
  const size = { width: nearest(width), height: nearest(height) };
  return {
    request: mergeSettings([settings, size]),
    isResized: size.width !== width || size.height !== height,
    lacking,
  };
}
