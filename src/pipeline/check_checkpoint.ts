import { DTYPE_POLICIES } from "../onnx/mod.ts";
import type { CheckpointFiles } from "./checkpoint/types.ts";
import { findCheckpoint } from "./checkpoint/find_checkpoint.ts";
import { loadParts } from "./load_parts.ts";

/**
 * Checks that a checkpoint's weights are what its configurations ask for, as loading does: graphs
 * are compiled over the headers of the files, and no weight is read and no session made.
 *
 * @param folder As for {@linkcode findCheckpoint}.
 * @returns Where its parts lie.
 * @throws {CheckpointNotFoundError} When there is no checkpoint, or parts of it are missing.
 * @throws {CheckpointError} Naming every tensor that does not fit.
 * @throws {ConfigError} When a config.json is wrong, or two parts do not fit each other.
 * @throws {SafetensorsError | GgufError} When a weights file is damaged.
 * @throws {TokenizerError} When a tokenizer cannot be read.
 */
export async function checkCheckpoint(folder: string): Promise<CheckpointFiles> {
  const files = await findCheckpoint(folder);
  await loadParts(files, {
    // Nothing is computed.
    computeThreads: 1,
    policy: DTYPE_POLICIES.cpu,
    chooseOffload: () => "none",
    onVaeFallback: () => {},
    onOperatorFallback: () => {},
  });
  return files;
}
