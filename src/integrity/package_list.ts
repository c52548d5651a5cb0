import { createHash } from "node:crypto";
import type { Dirent } from "node:fs";
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { NewBieError } from "../errors.ts";
import { isMissing } from "../files.ts";
import { readWhole } from "../whole_file.ts";
import { LIBRARIES, LIBRARY, PACKAGE_LIST } from "./covered_files.ts";

/** By name and version, such as `zod@4.6.7`, the digest of a package's files. */
export type PackageDigests = ReadonlyMap<string, string>;

const LINE = /^((?:@[^/@\s]+\/)?[^/@\s]+@\S+) (h1:[A-Za-z0-9+/]{43}=)$/;

/** Where Deno lays packages, each in a folder of its own. */
export const PACKAGES = "node_modules/.deno";

/**
 * What packages bring along and nothing here ever runs: programs for the command line, with packages
 * of their own inside. Images go without it.
 */
const NEVER_RUN: readonly (readonly [packageName: string, folder: string])[] = [
  ["protobufjs", "cli/"],
];

/** Whether a package's file, by its path in the package, is never run and has no place in an image. */
export function isNeverRun(packageName: string, path: string): boolean {
  return NEVER_RUN.some(([name, folder]) => name === packageName && path.startsWith(folder));
}

/**
 * Reads a list of packages: lines of a name with its version, a space, and a digest.
 *
 * @throws {NewBieError} Naming the first line that is none.
 */
export function parsePackageList(text: string): PackageDigests {
  const digests = new Map<string, string>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "") continue;
    const [, key, digest] = LINE.exec(line) ?? [];
    if (key === undefined || digest === undefined || digests.has(key)) {
      throw new NewBieError(
        `${PACKAGE_LIST}, line ${index + 1} is not a package that no other line names, and the ` +
          "digest of its files. deno task checksums --packages makes a new list.",
        {
          zh: `${PACKAGE_LIST} 第 ${index + 1} 行不是未重复的软件包及其文件的摘要。` +
            "请用 deno task checksums --packages 重新生成。",
        },
      );
    }
    digests.set(key, digest);
  }
  return digests;
}

/** The list's text: what {@linkcode parsePackageList} reads. */
export function formatPackageList(digests: PackageDigests): string {
  return [...digests].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([key, digest]) => `${key} ${digest}\n`).join("");
}

/**
 * The packages of a lock that are installed on some systems alone: an installation has lines for
 * those of its own system, and cannot make the others'.
 *
 * @param lock What deno.lock says.
 */
export function packagesOfSomeSystems(lock: string): ReadonlySet<string> {
  const { npm = {} }: { npm?: Record<string, { os?: unknown; cpu?: unknown }> } = JSON.parse(lock);
  return new Set(
    Object.entries(npm).filter(([, { os, cpu }]) => os !== undefined || cpu !== undefined)
      .map(([key]) => key),
  );
}

/** A package as it lies in {@linkcode PACKAGES}. */
export interface InstalledPackage {
  /** Its name and version, such as `zod@4.6.7`. */
  readonly key: string;
  readonly name: string;
  /** Where its files are, below the top of the project. */
  readonly path: string;
}

/** Names of the folders that Deno lays, one for each package. */
export async function packageFolders(root: string): Promise<string[]> {
  return (await entriesOf(join(root, PACKAGES)))
    .filter((entry) => entry.isDirectory() && entry.name !== "node_modules")
    .map(({ name }) => name);
}

/** The packages that are installed in a project, by the folders that Deno lays for them. */
export async function installedPackages(root: string): Promise<InstalledPackage[]> {
  const folders = await packageFolders(root);
  const found = await Promise.all(folders.map(async (folder) => {
    const inside = `${PACKAGES}/${folder}/node_modules`;
    const at = folder.lastIndexOf("@", versionEnd(folder));
    const version = folder.slice(at + 1);
    // Deno writes a scope's slash as a plus sign.
    const own = folder.slice(0, at).replace("+", "/");
    const names = await namesIn(root, inside, (entry) => entry.isDirectory());
    return names.filter((name) => name === own).map((name) => ({
      key: `${name}@${version.split("_")[0]}`,
      name,
      path: `${inside}/${name}`,
    }));
  }));
  return found.flat().sort((a, b) => a.path < b.path ? -1 : 1);
}

/** Behind an underscore stand the versions of peers, which have an `@` of their own. */
const versionEnd = (folder: string): number => {
  const peers = folder.indexOf("_", folder.indexOf("@", 1));
  return peers < 0 ? folder.length : peers;
};

/** What lies in a node_modules folder, those with a scope by their whole names. */
export async function namesIn(
  root: string,
  folder: string,
  isWanted: (entry: Dirent) => boolean,
): Promise<string[]> {
  const entries = (await entriesOf(join(root, folder))).filter(({ name }) => !name.startsWith("."));
  const names = await Promise.all(entries.map(async (entry) => {
    if (!entry.name.startsWith("@") || !entry.isDirectory()) {
      return isWanted(entry) ? [entry.name] : [];
    }
    const scoped = await entriesOf(join(root, folder, entry.name));
    return scoped.filter(isWanted).map(({ name }) => `${entry.name}/${name}`);
  }));
  return names.flat();
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/**
 * The digest of a package's files: that of Go's go.sum (golang.org/x/mod/sumdb/dirhash, `h1:`), the
 * SHA-256 in base64 of the lines that `sha256sum` prints of all files in the order of their paths.
 * Libraries, which checksums.txt lists, and what is never run are passed over. Packages have no
 * links: one changes the digest, whatever it leads to.
 */
export async function packageDigest(
  root: string,
  { name, path }: InstalledPackage,
): Promise<string> {
  const files = (await filesIn(join(root, path))).filter(({ path: file }) => {
    const isListed = `${path}/${file}`.startsWith(`${LIBRARIES}/`) && LIBRARY.test(file);
    return !isListed && !isNeverRun(name, file);
  }).sort((a, b) => a.path < b.path ? -1 : 1);
  const lines: string[] = [];
  for (const { path: file, isLink } of files) {
    const place = join(root, path, file);
    const hash = isLink
      ? `link to ${await readlink(place)}`
      : createHash("sha256").update(await readWhole(place)).digest("hex");
    lines.push(`${hash}  ${file}\n`);
  }
  return `h1:${createHash("sha256").update(lines.join("")).digest("base64")}`;
}

/** All files below a folder, with `/`. */
async function filesIn(
  folder: string,
  prefix = "",
): Promise<{ readonly path: string; readonly isLink: boolean }[]> {
  const found = await Promise.all((await entriesOf(join(folder, prefix))).map((entry) => {
    const path = `${prefix}${entry.name}`;
    return entry.isDirectory()
      ? filesIn(folder, `${path}/`)
      : [{ path, isLink: entry.isSymbolicLink() }];
  }));
  return found.flat();
}
