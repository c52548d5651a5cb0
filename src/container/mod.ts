/**
 * The container: built, run and carried through the Docker Engine API.
 *
 * @module
 */
export {
  type BaseImage,
  buildImage,
  labelsOf,
  LATEST,
  pinnedBase,
  prepareBase,
  REPOSITORY,
} from "./build_image.ts";
export {
  contextEntries,
  type ContextEntry,
  type Ingredients,
  packagesOf,
  packContext,
  type PinnedBody,
  type Variant,
} from "./context.ts";
export { Engine } from "./engine.ts";
export { addressText, engineAddress } from "./engine_address.ts";
export { BuildError, EngineError, type EngineErrorCode } from "./engine_error.ts";
export { type LockedPackage } from "./locked_packages.ts";
export { extraMounts, modelMounts, outputsMount } from "./mounts.ts";
export { runImage } from "./run_image.ts";
export { digestOf, readSources, type SourceFile, type Sources } from "./sources.ts";
export type * from "./types.ts";
