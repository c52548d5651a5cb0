import { join } from "node:path";
import { NewBieError } from "../errors.ts";
import { isOptional } from "./check_files.ts";
import type { Checksums } from "./checksum_list.ts";
import { coveredFiles, CUDA_LIBRARIES, LIBRARIES } from "./covered_files.ts";
import { hashFiles, type HashFilesOptions } from "./hash_files.ts";
import { CUDA_PROVIDER } from "./pins.ts";

/** A list of checksums as it should be, and how it differs from the one that is there. */
export interface ChecksumUpdate {
  readonly checksums: Checksums;
  readonly added: readonly string[];
  readonly changed: readonly string[];
  /** Listed before, and no longer there. */
  readonly removed: readonly string[];
  /** Bytes that have been read. */
  readonly bytes: number;
}

/**
 * Makes the list of checksums of what lies in a project now. The CUDA provider's libraries have the
 * pinned ones, whatever lies there; libraries of other platforms that are not there keep theirs.
 *
 * @param root The top of the project.
 * @param listed What is listed so far.
 * @throws {NewBieError} Naming every file that cannot be read.
 * @throws The signal's reason, when it was aborted.
 */
export async function updateChecksums(
  root: string,
  listed: Checksums,
  options: HashFilesOptions = {},
): Promise<ChecksumUpdate> {
  const paths = (await coveredFiles(root)).filter((path) => !CUDA_LIBRARIES.includes(path));
  let bytes = 0;
  const outcomes = await hashFiles(paths.map((path) => join(root, path)), {
    ...options,
    onProgress(done, total) {
      bytes = done;
      options.onProgress?.(done, total);
    },
  });
  const problems = outcomes.flatMap(({ problem }) => problem === undefined ? [] : [problem]);
  if (problems.length > 0) {
    throw new NewBieError({
      en: problems.map(({ en }) => en),
      zh: problems.map(({ zh }) => zh),
    });
  }
  const checksums = new Map<string, string>();
  for (const [path, sha256] of listed) {
    if (path.startsWith(`${LIBRARIES}/`) && isOptional(path)) checksums.set(path, sha256);
  }
  for (const [index, path] of paths.entries()) checksums.set(path, outcomes[index]!.sha256!);
  for (const [index, path] of CUDA_LIBRARIES.entries()) {
    checksums.set(path, CUDA_PROVIDER.libraries[index]!.sha256);
  }
  return {
    checksums,
    added: [...checksums.keys()].filter((path) => !listed.has(path)).sort(),
    changed: [...checksums].flatMap(([path, sha256]) =>
      listed.has(path) && listed.get(path) !== sha256 ? [path] : []
    ).sort(),
    removed: [...listed.keys()].filter((path) => !checksums.has(path)).sort(),
    bytes,
  };
}
