import type { RecipeVersions } from "./types.ts";

/** The toolkit's own version, that of deno.json. */
const TOOLKIT_VERSION = "0.1.0";

/** The pinned version of ONNX Runtime. */
const ONNXRUNTIME_VERSION = "1.29.0";

/**
 * The versions with which this process makes pictures.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(currentVersions().deno, Deno.version.deno);
 * ```
 */
export function currentVersions(): RecipeVersions {
  return {
    toolkit: TOOLKIT_VERSION,
    deno: Deno.version.deno,
    onnxruntime: ONNXRUNTIME_VERSION,
  };
}
