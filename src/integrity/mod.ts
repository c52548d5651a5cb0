/**
 * Whether what runs is what was meant to run: patches of dependencies, and files whose every byte is
 * pinned.
 *
 * @module
 */
export { areFilesSound, type ChangedFile, checkFiles, type FilesReport } from "./check_files.ts";
export { checkDockerfile, type DockerfileProblem } from "./check_dockerfile.ts";
export { checkPackages, type PackageProblem, type PackagesReport } from "./check_packages.ts";
export { closeFiles, openFiles } from "./open_files.ts";
export { checkPins, type PinProblem } from "./check_pins.ts";
export { checkSources, SOURCE_LIST, type SourcesReport } from "./check_sources.ts";
export {
  formatPackageList,
  installedPackages,
  isNeverRun,
  packageDigest,
  type PackageDigests,
  packagesOfSomeSystems,
  parsePackageList,
} from "./package_list.ts";
export {
  ChangedWeightsError,
  checkModelFiles,
  type CheckModelFilesOptions,
  type ModelFilesCheck,
} from "./check_model_files.ts";
export {
  CHECKSUM_LIST,
  ChecksumListError,
  type Checksums,
  formatChecksums,
  parseChecksums,
} from "./checksum_list.ts";
export {
  coveredFiles,
  CUDA_LIBRARIES,
  filesBelow,
  LIBRARIES,
  PACKAGE_LIST,
} from "./covered_files.ts";
export { ChecksumCache } from "./checksum_cache.ts";
export { hashCachedFile } from "./hash_cached_file.ts";
export { hashFile, type HashFileOptions, hashOutcome } from "./hash_file.ts";
export { hashFiles, type HashFilesOptions, type HashOutcome } from "./hash_files.ts";
export { type ChecksumUpdate, updateChecksums } from "./update_checksums.ts";
export { type ProjectReport, verifyProject } from "./verify_project.ts";
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
