/**
 * Whether what runs is what was meant to run: patches of dependencies, and files whose every byte is
 * pinned.
 *
 * @module
 */
export { installPinnedFiles, type NamedStream, type Standing, standingOf } from "./pinned_files.ts";
export { PinError, type PinErrorCode } from "./pin_error.ts";
export { readTarball } from "./read_tarball.ts";
export { CUDA_PROVIDER, type PinnedFile } from "./pins.ts";
export { PatchError } from "./patch_error.ts";
export { applyPatch, inspectPatch, readPatches } from "./patches.ts";
export type * from "./types.ts";
