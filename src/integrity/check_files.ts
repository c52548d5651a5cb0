import { exists } from "../files.ts";
import { join } from "node:path";
import type { Texts } from "../language.ts";
import type { Checksums } from "./checksum_list.ts";
import { coveredFiles, CUDA_LIBRARIES, LIBRARIES } from "./covered_files.ts";
import { hashFiles, type HashFilesOptions } from "./hash_files.ts";
import { platformFolder } from "./platform_folder.ts";

/** A file with other bytes than those that are listed. */
export interface ChangedFile {
  readonly path: string;
  /** SHA-256, as listed. */
  readonly expected: string;
  /** SHA-256 of what is there. */
  readonly found: string;
}

/** How the files of a project compare with its list of checksums; paths are relative to its top. */
export interface FilesReport {
  /** Files that have been read to their end. */
  readonly checked: number;
  readonly bytes: number;
  readonly missing: readonly string[];
  readonly changed: readonly ChangedFile[];
  /** Files that a checksum must stand for, and none does. */
  readonly unlisted: readonly string[];
  readonly unreadable: readonly { readonly path: string; readonly problem: Texts<string> }[];
  /** Libraries that are listed and not needed here: of the CUDA provider, or of other platforms. */
  readonly notInstalled: readonly string[];
}

/**
 * Reads every listed file of a project, and names those that are not as listed.
 *
 * @param root The top of the project.
 * @throws The signal's reason, when it was aborted.
 */
export async function checkFiles(
  root: string,
  checksums: Checksums,
  options: HashFilesOptions = {},
): Promise<FilesReport> {
  const paths = [...checksums.keys()];
  const isThere = await Promise.all(paths.map((path) =>
    // What cannot be looked at is there, and is said to be unreadable.
    exists(join(root, path)).catch(() => true)
  ));
  const present = paths.filter((_, index) => isThere[index]);
  const absent = paths.filter((_, index) => !isThere[index]);
  let bytes = 0;
  const outcomes = await hashFiles(present.map((path) => join(root, path)), {
    ...options,
    onProgress(done, total) {
      bytes = done;
      options.onProgress?.(done, total);
    },
  });
  const changed: ChangedFile[] = [];
  const unreadable: FilesReport["unreadable"][number][] = [];
  for (const [index, { sha256: found, problem }] of outcomes.entries()) {
    const path = present[index]!;
    const expected = checksums.get(path)!;
    if (problem !== undefined) unreadable.push({ path, problem });
    else if (found !== expected) changed.push({ path, expected, found });
  }
  return {
    checked: present.length - unreadable.length,
    bytes,
    missing: absent.filter((path) => !isOptional(path)),
    changed,
    unlisted: (await coveredFiles(root)).filter((path) => !checksums.has(path)),
    unreadable,
    notInstalled: absent.filter(isOptional),
  };
}

/** Whether all is as listed. */
export function areFilesSound({ missing, changed, unlisted, unreadable }: FilesReport): boolean {
  return [missing, changed, unlisted, unreadable].every(({ length }) => length === 0);
}

const PLATFORM = `${LIBRARIES}/${platformFolder(Deno.build)}/`;

/** Whether a listed file may be absent on this machine. */
export function isOptional(path: string): boolean {
  if (CUDA_LIBRARIES.includes(path)) return true;
  return path.startsWith(`${LIBRARIES}/`) && !path.startsWith(PLATFORM);
}
