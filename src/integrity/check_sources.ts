import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { isMissing } from "../files.ts";
import { readWholeText } from "../whole_file.ts";
import { type Checksums, parseChecksums } from "./checksum_list.ts";
import { PACKAGE_LIST } from "./covered_files.ts";
import { readGitTree } from "./_git_tree.ts";

/** The list of sources that an image holds, at its top: lines as `sha256sum` prints them. */
export const SOURCE_LIST = "sources.txt";

/** How the sources compare with git's commit, or with the list that an image holds. */
export interface SourcesReport {
  /** What they were compared with; nothing where there is neither. */
  readonly against: "git" | "list" | "nothing";
  /** The commit that git has checked out. */
  readonly commit?: string;
  /** Files that are as listed. */
  readonly sound: number;
  readonly changed: readonly string[];
  readonly missing: readonly string[];
  /** Files that Deno would read or run, and that no list has. */
  readonly unlisted: readonly string[];
}

/** Files that steer Deno where they stand beside deno.json. */
const STEERING = ["package.json", "deno.jsonc", "tsconfig.json", ".npmrc"];
/** What runs when somebody draws, and what says how. */
const DRAWING = ["src", "tasks", "patches"];
/** What runs on clusters, and for those who measure, train, test or change the toolkit. */
const WORKING = [".ci", "bench", "deploy", "tests", "training"];
const CODE_FOLDERS = [...DRAWING, ...WORKING];
const CODE_FILES = ["deno.json", "Dockerfile", PACKAGE_LIST, "newbie"];
/** Where code of the toolkit lies, below the top of the project. */
export const CODE: readonly string[] = [...CODE_FOLDERS, ...CODE_FILES];
/** Below a code folder, and no code: measurements. */
const RECORDS = "bench/results/";

const isCode = (path: string): boolean =>
  CODE_FILES.includes(path) ||
  CODE_FOLDERS.some((folder) => path.startsWith(`${folder}/`)) && !path.startsWith(RECORDS);
/** Below a code folder, and no code of the toolkit: packages that others than its users need. */
const OTHER_PACKAGES = /^(?:src\/server\/page|tests(?:\/lab|\/server)?\/packages)\/node_modules\//;
/** What runs, by its name: where people work, other files of theirs may lie. */
const PROGRAM = /\.(?:[cm]?[jt]sx?|jsonc?|py|sh|wasm)$/;
/** What desktops leave in folders that they show. */
const DESKTOPS = /(?:^|\/)(?:\.DS_Store|\._[^/]*|Thumbs\.db|desktop\.ini)$/;
const AT_ONCE = 16;

/**
 * Compares the code of the toolkit itself with what git has of the commit that is checked out, or in
 * an image with the list that it was built with. Git's index does not count: whoever changes a file
 * can add it there. What checksums.txt lists is left to it.
 *
 * @param root The top of the project.
 * @param checksums What checksums.txt lists.
 * @throws {NewBieError} When git's commit cannot be read, or the list is damaged.
 */
export async function checkSources(root: string, checksums: Checksums): Promise<SourcesReport> {
  const expected = await expectedSources(root);
  if (expected === undefined) {
    return { against: "nothing", sound: 0, changed: [], missing: [], unlisted: [] };
  }
  const { against, commit, files, matches } = expected;
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
  const present = await presentFiles(root);
  const unlisted = present.filter((path) => !files.has(path) && !checksums.has(path));
  return {
    against,
    ...(commit === undefined ? {} : { commit }),
    sound,
    changed: changed.sort(),
    missing: missing.sort(),
    unlisted: unlisted.sort(),
  };
}

/** Whether all is as listed. What cannot be compared is not. */
export function areSourcesSound(
  { against, changed, missing, unlisted }: SourcesReport,
): boolean {
  return against !== "nothing" && [changed, missing, unlisted].every(({ length }) => length === 0);
}

interface ExpectedSources {
  readonly against: "git" | "list";
  readonly commit?: string;
  readonly files: ReadonlyMap<string, unknown>;
  /** Whether a file is as listed; undefined when it is missing. */
  readonly matches: (path: string) => Promise<boolean | undefined>;
}

async function expectedSources(root: string): Promise<ExpectedSources | undefined> {
  const top = await realpath(root);
  const isWanted = (name: string) => CODE_FOLDERS.includes(name) || CODE_FILES.includes(name);
  const tree = await readGitTree(top, isWanted);
  if (tree !== undefined) {
    const { algorithm, commit } = tree;
    const comparesModes = tree.keepsModes && process.platform !== "win32";
    const files = new Map(tree.files.map((file) => [file.path, file]));
    const matches = async (path: string) => {
      const { isLink, isExecutable, id } = files.get(path)!;
      const found = await ownFile(top, path);
      if (found === undefined) return undefined;
      if (found.isLink !== isLink) return false;
      if (comparesModes && !isLink && found.isExecutable !== isExecutable) return false;
      const { bytes } = found;
      const hash = createHash(algorithm).update(`blob ${bytes.length}\0`).update(bytes);
      return hash.digest("hex") === id;
    };
    return { against: "git", commit, files, matches };
  }
  const text = await ifThere(() => readWholeText(join(top, SOURCE_LIST)));
  if (text === undefined) return undefined;
  const files = parseChecksums(text, SOURCE_LIST);
  const matches = async (path: string) => {
    const found = await ownFile(top, path);
    if (found === undefined) return undefined;
    if (found.isLink) return false;
    return createHash("sha256").update(found.bytes).digest("hex") === files.get(path);
  };
  return { against: "list", files, matches };
}

/**
 * A file that lies where it seems to lie: what a link leads to may become something else.
 *
 * @param top The project's folder, without links.
 */
async function ownFile(
  top: string,
  path: string,
): Promise<{ bytes: Buffer; isLink: boolean; isExecutable: boolean } | undefined> {
  return await ifThere(async () => {
    const place = join(top, path);
    const folder = dirname(place);
    if (await realpath(folder) !== folder) {
      return { bytes: Buffer.from(""), isLink: true, isExecutable: false };
    }
    const stat = await lstat(place);
    const isLink = stat.isSymbolicLink();
    // What is neither is changed: a pipe in a file's place has nothing to compare.
    if (!isLink && !stat.isFile() && !stat.isDirectory()) {
      return { bytes: Buffer.from(""), isLink: true, isExecutable: false };
    }
    const bytes = isLink ? Buffer.from(await readlink(place)) : await readFile(place);
    return { bytes, isLink, isExecutable: (stat.mode & OWNER_RUNS) !== 0 };
  });
}

/** Of a file's mode: its owner may run it. */
const OWNER_RUNS = 0o100;

/** Files that must be listed where they are there. */
async function presentFiles(root: string): Promise<string[]> {
  const top = (await readdir(root)).filter((name) => STEERING.includes(name));
  const folders = await Promise.all(CODE_FOLDERS.map(async (folder) => {
    const entries = await ifThere(() =>
      readdir(join(root, folder), { recursive: true, withFileTypes: true })
    );
    return (entries ?? []).filter((entry) => !entry.isDirectory()).map((entry) =>
      join(entry.parentPath, entry.name).slice(join(root, "/").length).replaceAll("\\", "/")
    );
  }));
  const isWork = (path: string) => WORKING.some((folder) => path.startsWith(`${folder}/`));
  const code = folders.flat().filter((path) =>
    isCode(path) && !OTHER_PACKAGES.test(path) && !DESKTOPS.test(path) &&
    (!isWork(path) || PROGRAM.test(path))
  );
  return [...top, ...code];
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
