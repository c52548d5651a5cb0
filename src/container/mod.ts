/**
 * The container: built, run and carried through the Docker Engine API.
 *
 * @module
 */
export {
  type BaseImage,
  buildImage,
  BUNDLE_LABELS,
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
export { ArchiveError, type ArchiveErrorCode } from "./archive_error.ts";
export { type Bundle, type BundleProgress, makeBundle } from "./bundle.ts";
export { BundleError, type BundleErrorCode, sizeText } from "./bundle_error.ts";
export { compareImages, type ImageContents, type ImageDifference } from "./compare_images.ts";
export { openImage } from "./open_image.ts";
export { loadBundle, type LoadProgress } from "./load_bundle.ts";
export { type ImageLayout, openLayout, writeCanonicalLayout } from "./oci_layout.ts";
export { openBundle } from "./open_bundle.ts";
export { digestOf, readSources, type SourceFile, type Sources } from "./sources.ts";
export type * from "./types.ts";
