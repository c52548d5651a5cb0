import type { ForeignRecipe } from "../recipe/mod.ts";
import { type AskedSettings, mergeSettings } from "../settings/mod.ts";

/** What another program's picture asks for here. */
export interface ForeignRequest {
  readonly request: AskedSettings;
  /** Whether the size had to be changed to one that the model can draw. */
  readonly isResized: boolean;
}

/**
 * A request with all that another program's notes say in words that this model knows.
 *
 * @param multiple What each side must be a multiple of; a side that is none becomes the nearest one.
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
export function foreignRequest({ settings }: ForeignRecipe, multiple: number): ForeignRequest {
  const { width, height } = settings;
  if (width === undefined || height === undefined) return { request: settings, isResized: false };
  const nearest = (side: number) => Math.max(1, Math.round(side / multiple)) * multiple;
  const size = { width: nearest(width), height: nearest(height) };
  return {
    request: mergeSettings([settings, size]),
    isResized: size.width !== width || size.height !== height,
  };
}
