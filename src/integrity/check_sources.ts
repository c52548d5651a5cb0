import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "../files.ts";
import { type Checksums, parseChecksums } from "./checksum_list.ts";
import { PACKAGE_LIST } from "./covered_files.ts";
import { readGitIndex } from "./_git_index.ts";

/** The list of sources that an image holds, at its top: lines as `sha256sum` prints them. */
export const SOURCE_LIST = "sources.txt";

/** How the sources compare with git's own list, or with the list that an image holds. */
export interface SourcesReport {
  /** What they were compared with; nothing where there is neither. */
  readonly against: "git" | "list" | "nothing";
  /** Files that are as listed. */
  readonly sound: number;
  readonly changed: readonly string[];
  readonly missing: readonly string[];
  /** Files that Deno would read or run, and that no list has. */
  readonly unlisted: readonly string[];
}

/** Files that steer Deno where they stand beside deno.json. */
const STEERING = ["package.json", "deno.jsonc", ".npmrc"];
/** What runs, and what says how. */
const CODE_FOLDERS = ["src", "tasks", "patches"];
const CODE_FILES = ["deno.json", "Dockerfile", PACKAGE_LIST];

const isCode = (path: string): boolean =>
  CODE_FILES.includes(path) || CODE_FOLDERS.some((folder) => path.startsWith(`${folder}/`));
const AT_ONCE = 16;

/**
 * Compares the code of the toolkit itself with what git has of the checkout, or in an image with the
 * list that it was built with. What checksums.txt lists is left to it.
 *
 * @param root The top of the project.
 * @param checksums What checksums.txt lists.
 * @throws {NewBieError} When git's index, or the list, is damaged.
 */
export async function checkSources(root: string, checksums: Checksums): Promise<SourcesReport> {
  const expected = await expectedSources(root);
  if (expected === undefined) {
    return { against: "nothing", sound: 0, changed: [], missing: [], unlisted: [] };
  }
  const { against, files, matches } = expected;
  const [changed, missing]: [string[], string[]] = [[], []];
  let sound = 0;
  const queue = [...files.keys()].filter((path) => isCode(path) && !checksums.has(path));
  const work = async () => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      const outcome = await matches(path);
      if (outcome === undefined) missing.push(path);
      else if (outcome) sound++;
      else changed.push(path);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const present = await presentFiles(root, against);
  const unlisted = present.filter((path) => !files.has(path) && !checksums.has(path));
  return {
    against,
    sound,
    changed: changed.sort(),
    missing: missing.sort(),
    unlisted: unlisted.sort(),
  };
}

/** Whether all is as listed, or there is no list. */
export function areSourcesSound({ changed, missing, unlisted }: SourcesReport): boolean {
  return [changed, missing, unlisted].every(({ length }) => length === 0);
}

interface ExpectedSources {
  readonly against: "git" | "list";
  readonly files: ReadonlyMap<string, unknown>;
  /** Whether a file is as listed; undefined when it is missing. */
  readonly matches: (path: string) => Promise<boolean | undefined>;
}

async function expectedSources(root: string): Promise<ExpectedSources | undefined> {
  const index = await readGitIndex(root);
  if (index !== undefined) {
    const files = new Map(index.files.map((file) => [file.path, file]));
    const matches = async (path: string) => {
      const { isLink, id } = files.get(path)!;
      const bytes = await ifThere(async () =>
        isLink ? Buffer.from(await readlink(join(root, path))) : await readFile(join(root, path))
      );
      if (bytes === undefined) return undefined;
      const hash = createHash(index.algorithm).update(`blob ${bytes.length}\0`).update(bytes);
      return hash.digest("hex") === id;
    };
    return { against: "git", files, matches };
  }
  const text = await ifThere(() => readFile(join(root, SOURCE_LIST), "utf8"));
  if (text === undefined) return undefined;
  const files = parseChecksums(text, SOURCE_LIST);
  const matches = async (path: string) => {
    const bytes = await ifThere(() => readFile(join(root, path)));
    return bytes && createHash("sha256").update(bytes).digest("hex") === files.get(path);
  };
  return { against: "list", files, matches };
}

/** Files that must be listed where they are there. */
async function presentFiles(root: string, against: "git" | "list"): Promise<string[]> {
  const top = (await readdir(root)).filter((name) => STEERING.includes(name));
  if (against === "git") return top;
  const folders = await Promise.all(CODE_FOLDERS.map(async (folder) => {
    const entries = await ifThere(() =>
      readdir(join(root, folder), { recursive: true, withFileTypes: true })
    );
    return (entries ?? []).filter((entry) => !entry.isDirectory()).map((entry) =>
      join(entry.parentPath, entry.name).slice(join(root, "/").length).replaceAll("\\", "/")
    );
  }));
  return [...top, ...folders.flat()];
}

async function ifThere<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    // A folder in a file's place, or a file where a link was.
    const isOther = ["EISDIR", "EINVAL"].includes((error as NodeJS.ErrnoException).code ?? "");
    if (isMissing(error) || isOther) return undefined;
    throw error;
  }
}
