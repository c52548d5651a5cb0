import { join } from "node:path";
import { NewBieError } from "../errors.ts";
import type { Texts } from "../language.ts";
import { readWholeText } from "../whole_file.ts";
import { checkDockerfile, type DockerfileProblem } from "./check_dockerfile.ts";
import { areFilesSound, checkFiles, type FilesReport } from "./check_files.ts";
import { checkPackages, type PackagesReport } from "./check_packages.ts";
import { checkPins, type PinProblem } from "./check_pins.ts";
import { areSourcesSound, checkSources, CODE, type SourcesReport } from "./check_sources.ts";
import { CHECKSUM_LIST, type Checksums, parseChecksums } from "./checksum_list.ts";
import { CUDA_LIBRARIES } from "./covered_files.ts";
import type { HashFilesOptions } from "./hash_files.ts";
import { openFiles } from "./open_files.ts";
import { inspectPatch, readPatches } from "./patches.ts";
import { BASE_IMAGES, CUDA_PROVIDER } from "./pins.ts";
import type { PatchReport } from "./types.ts";

/** How a project compares with what is pinned. */
export interface ProjectReport {
  /** Whether nothing is wrong. */
  readonly isSound: boolean;
  /** Absent when the list of checksums cannot be read. */
  readonly files?: FilesReport;
  /** Why the list of checksums is of no use; what it says of pinned libraries counts, too. */
  readonly listProblem?: Texts<string>;
  /** Empty when they cannot be read. */
  readonly patches: readonly PatchReport[];
  readonly patchProblem?: Texts<string>;
  readonly pins: readonly PinProblem[];
  readonly packages: PackagesReport;
  /** Absent when git's commit, or an image's list, cannot be read. */
  readonly sources?: SourcesReport;
  readonly sourcesProblem?: Texts<string>;
  readonly dockerfile: readonly DockerfileProblem[];
  /** Code that every user of the machine may change. What it is now says the rest of the report. */
  readonly open: readonly string[];
}

/**
 * Compares a project with everything that is pinned: files with their checksums, the code with git
 * or an image's list, the packages' files with theirs, patches with the packages, the lock and the
 * packages with deno.json, the Deno that runs and the Dockerfile's images with the pins. Nothing is
 * changed.
 *
 * @param root The top of the project.
 * @throws The signal's reason, when it was aborted.
 *
 * @example
 * ```ts
 * const { isSound, files } = await verifyProject(".");
 * if (!isSound) console.log(files?.changed.map(({ path }) => path));
 * ```
 */
export async function verifyProject(
  root: string,
  options: HashFilesOptions = {},
): Promise<ProjectReport> {
  const list = await attempt(async () => {
    const text = await readWholeText(join(root, CHECKSUM_LIST));
    const checksums = parseChecksums(text, CHECKSUM_LIST);
    expectPins(checksums);
    return checksums;
  });
  const inspected = await attempt(async () => {
    const patches = await readPatches(join(root, "patches"));
    return await Promise.all(patches.map((patch) => inspectPatch(patch, root)));
  });
  const pins = await checkPins(root);
  const dockerfile = await checkDockerfile(root, Object.values(BASE_IMAGES));
  const files = list.value && await checkFiles(root, list.value, options);
  const patches = inspected.value ?? [];
  const packages = await checkPackages(root);
  const sources = await attempt(() => checkSources(root, list.value ?? new Map()));
  return {
    isSound: files !== undefined && areFilesSound(files) && inspected.problem === undefined &&
      patches.every(({ state }) => state === "applied") &&
      pins.length + dockerfile.length + packages.problems.length === 0 &&
      sources.value !== undefined && areSourcesSound(sources.value),
    ...(files === undefined ? {} : { files }),
    ...(list.problem === undefined ? {} : { listProblem: list.problem }),
    patches,
    ...(inspected.problem === undefined ? {} : { patchProblem: inspected.problem }),
    pins,
    packages,
    ...(sources.value === undefined ? {} : { sources: sources.value }),
    ...(sources.problem === undefined ? {} : { sourcesProblem: sources.problem }),
    dockerfile,
    open: openFiles(root, [...CODE, "node_modules", CHECKSUM_LIST, "deno.lock"]),
  };
}

/** The list may not say anything else of the CUDA provider than the pins do. */
function expectPins(checksums: Checksums): void {
  for (const [index, path] of CUDA_LIBRARIES.entries()) {
    if (checksums.get(path) === CUDA_PROVIDER.libraries[index]!.sha256) continue;
    throw new NewBieError(
      `${CHECKSUM_LIST} does not list ${path} with its pinned checksum. ` +
        "deno task checksums --write makes a new one.",
      {
        zh:
          `${CHECKSUM_LIST} 中没有 ${path} 的固定校验值。请用 deno task checksums --write 重新生成。`,
      },
    );
  }
}

async function attempt<T>(
  work: () => Promise<T>,
): Promise<{ value: T; problem?: never } | { value?: never; problem: Texts<string> }> {
  try {
    return { value: await work() };
  } catch (error) {
    const { message } = error as Error;
    return {
      problem: { en: message, zh: error instanceof NewBieError ? error.explain("zh") : message },
    };
  }
}
