import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { NewBieError } from "../../errors.ts";
import { formatChecksums } from "../../integrity/mod.ts";
import { contentForImage, isInImage } from "./image_content.ts";

/** A file of the repository. */
export interface SourceFile {
  /** As git names it. */
  readonly path: string;
  readonly isExecutable: boolean;
  /** As the image has them. */
  readonly bytes: Uint8Array;
}

/** The files of a commit, as they lie in the working tree. */
export interface Sources {
  readonly commit: string;
  /** Of the commit: seconds since 1970. */
  readonly time: number;
  /** What differs from the commit, as `git status --short` says it. */
  readonly changes: readonly string[];
  /** In the order of their paths. */
  readonly files: readonly SourceFile[];
}

const EXECUTABLE = "100755";
const SYMBOLIC_LINK = "120000";

/**
 * Reads what an image holds of the repository: the files that git tracks, with what was changed in
 * them since the commit.
 *
 * @param root The top of the repository.
 * @throws {NewBieError} When it is no git repository, or git cannot be run.
 */
export async function readSources(root: string): Promise<Sources> {
  const { commit, time, files: tracked } = await trackedFiles(root);
  const status = await git(root, "status", "--porcelain", "-z");
  const changes: string[] = [];
  for (const line of status.split("\0")) {
    if (await isChange(root, line)) changes.push(line);
  }
  const files: SourceFile[] = [];
  for (const { path, isExecutable } of tracked) {
    if (!isInImage(path)) continue;
    try {
      const bytes = contentForImage(path, await readFile(join(root, path)));
      files.push({ path, isExecutable, bytes });
    } catch (error) {
      // Deleted since the commit: git status says so.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  files.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  return { commit, time, changes, files };
}

/** The files that git tracks, and the commit that is checked out. */
export interface TrackedFiles {
  readonly commit: string;
  /** Of the commit: seconds since 1970. */
  readonly time: number;
  readonly files: readonly { readonly path: string; readonly isExecutable: boolean }[];
}

/**
 * Lists what git tracks but links.
 *
 * @throws {NewBieError} When it is no git repository, or git cannot be run.
 */
export async function trackedFiles(root: string): Promise<TrackedFiles> {
  const [commit, time] = (await git(root, "log", "-1", "--format=%H %ct")).trim().split(" ");
  const lines = (await git(root, "ls-files", "--stage", "-z")).split("\0");
  const files = lines.flatMap((line) => {
    const [, mode, path] = /^(\d+) [0-9a-f]+ \d\t(.*)$/s.exec(line) ?? [];
    if (path === undefined || mode === SYMBOLIC_LINK) return [];
    return [{ path, isExecutable: mode === EXECUTABLE }];
  });
  return { commit: commit!, time: Number(time), files };
}

/** Whether a line of `git status` tells of something that the image would have otherwise. */
async function isChange(root: string, line: string): Promise<boolean> {
  const path = line.slice("?? ".length);
  if (!isInImage(path)) return false;
  if (!line.startsWith(" M")) return true;
  const encoder = new TextEncoder();
  const before = encoder.encode(await git(root, "show", `HEAD:${path}`));
  const now = await readFile(join(root, path));
  return Buffer.compare(contentForImage(path, before), contentForImage(path, now)) !== 0;
}

/** The list of all files that the image has at its top: lines as `sha256sum` prints them. */
export function sourceList(files: readonly SourceFile[]): Uint8Array {
  const sums = files.map(({ path, bytes }): [string, string] => [
    path,
    createHash("sha256").update(bytes).digest("hex"),
  ]);
  return new TextEncoder().encode(formatChecksums(new Map(sums)));
}

/** One digest for all files: their modes, paths and bytes. */
export function digestOf(files: readonly SourceFile[]): string {
  const digest = createHash("sha256");
  for (const { path, isExecutable, bytes } of files) {
    const own = createHash("sha256").update(bytes).digest("hex");
    digest.update(`${isExecutable ? "755" : "644"} ${own} ${path}\n`);
  }
  return `sha256:${digest.digest("hex")}`;
}

async function git(root: string, ...args: string[]): Promise<string> {
  const fail = (reason: string, cause?: unknown) =>
    new NewBieError(
      `An image is built from a commit, and git does not tell which: ${reason}. Build in a clone ` +
        "of the repository.",
      {
        cause,
        zh: `镜像由某个提交构建，而 git 无法给出该提交：${reason}。请在仓库的克隆中构建。`,
      },
    );
  let result: Deno.CommandOutput;
  try {
    result = await new Deno.Command("git", { args: ["-C", root, ...args] }).output();
  } catch (cause) {
    throw fail((cause as Error).message, cause);
  }
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!result.success) throw fail(text(result.stderr).trim().replace(/\.$/, ""));
  return text(result.stdout);
}
