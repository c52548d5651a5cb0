/**
 * Whether what runs is what was meant to run: patches of dependencies, and files whose every byte is
 * pinned.
 *
 * @module
 */
export { installPinnedFiles, type NamedStream, type Standing, standingOf } from "./pinned_files.ts";
export { PinError, type PinErrorCode } from "./pin_error.ts";
export { readTarball } from "./read_tarball.ts";
export {
  BASE_IMAGES,
  CUDA_PROVIDER,
  DENO,
  ONNX_RUNTIME,
  type PinnedFile,
  type PinnedImage,
  TINI,
} from "./pins.ts";
export { PatchError } from "./patch_error.ts";
export { applyPatch, inspectPatch, readPatches } from "./patches.ts";
export type * from "./types.ts";
