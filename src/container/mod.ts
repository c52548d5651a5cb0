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
} from "./engine/build_image.ts";
export {
  contextEntries,
  type ContextEntry,
  type Ingredients,
  packagesOf,
  packContext,
  type PinnedBody,
  type Variant,
} from "./engine/context.ts";
export { canonicalImage } from "./engine/canonical_image.ts";
export { Engine } from "./engine/engine.ts";
export { addressText, engineAddress } from "./engine/engine_address.ts";
export { BuildError, EngineError, type EngineErrorCode } from "./engine/engine_error.ts";
export { type LockedPackage } from "./engine/locked_packages.ts";
export { extraMounts, modelMounts, outputsMount } from "./engine/mounts.ts";
export { runImage } from "./engine/run_image.ts";
export { ArchiveError, type ArchiveErrorCode } from "./archive/archive_error.ts";
export { type Bundle, type BundleProgress, makeBundle } from "./bundle/bundle.ts";
export { BundleError, type BundleErrorCode } from "./bundle/bundle_error.ts";
export { compareImages, type ImageContents, type ImageDifference } from "./image/compare_images.ts";
export { makePack, type Pack } from "./bundle/pack.ts";
export { openImage } from "./bundle/open_image.ts";
export { loadBundle, type LoadProgress } from "./bundle/load_bundle.ts";
export { type ImageLayout, openLayout, writeCanonicalLayout } from "./image/oci_layout.ts";
export { signFile } from "./bundle/signature.ts";
export { openBundle } from "./bundle/open_bundle.ts";
export {
  digestOf,
  readSources,
  type SourceFile,
  type Sources,
  trackedFiles,
} from "./engine/sources.ts";
export type * from "./engine/types.ts";
