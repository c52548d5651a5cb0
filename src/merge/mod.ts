/**
 * Checkpoints with adapters in them, for programs that know no adapters, or to save their time.
 *
 * @module
 */
export type { MergedFile } from "./merge_file.ts";
export {
  type AdapterChoice,
  type MergedAdapter,
  type MergedModel,
  mergeModel,
  type MergeModelOptions,
  mergePart,
} from "./merge_model.ts";
