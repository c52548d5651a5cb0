import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { NewBieError } from "../errors.ts";
import { lastPart, readJson } from "../files.ts";
import type { Texts } from "../language.ts";
import { reasonOf } from "../system_reason.ts";
import { readWholeText } from "../whole_file.ts";
import { PACKAGE_LIST } from "./covered_files.ts";
import {
  type InstalledPackage,
  installedPackages,
  namesIn,
  packageDigest,
  type PackageDigests,
  packageFolders,
  PACKAGES,
  parsePackageList,
} from "./package_list.ts";

/**
 * What differs from the list of packages:
 * - `unreadable`: the list, or a package;
 * - `other-files`: a package's files are not those that are listed;
 * - `not-listed`: the list does not have it;
 * - `other-link`: a name in node_modules leads elsewhere than to the package of that name;
 * - `other-entry`: it lies where packages are looked up, and is none;
 * - `other-program`: it lies where tasks look for programs first, and is none of a package's.
 */
export type PackageProblem =
  | { readonly code: "unreadable"; readonly subject: string; readonly reason: Texts<string> }
  | {
    readonly code: "other-files" | "not-listed" | "other-link" | "other-entry" | "other-program";
    readonly subject: string;
  };

/** How the installed packages compare with the list of packages. */
export interface PackagesReport {
  /** Packages of which every file that is run is as listed. */
  readonly sound: number;
  readonly problems: readonly PackageProblem[];
}

/** What is read at once. */
const AT_ONCE = 8;

/**
 * Compares every file of the installed packages with `packages.txt`, and where their names lead.
 * Packages that are not installed are passed over.
 *
 * @param root The top of the project.
 */
export async function checkPackages(root: string): Promise<PackagesReport> {
  const problems: PackageProblem[] = [];
  const unreadable = (subject: string, error: unknown) => {
    const reason = error instanceof NewBieError
      ? { en: error.message, zh: error.explain("zh") }
      : reasonOf(error);
    problems.push({ code: "unreadable", subject, reason });
  };
  let listed: PackageDigests;
  try {
    listed = parsePackageList(await readWholeText(join(root, PACKAGE_LIST)));
  } catch (error) {
    unreadable(PACKAGE_LIST, error);
    return { sound: 0, problems };
  }
  const installed = await installedPackages(root);
  const places = new Map<string, InstalledPackage>();
  for (const item of installed) places.set(await realpath(join(root, item.path)), item);
  const own = new Set(installed.map(({ path }) => path));
  const inside = (await packageFolders(root)).map((name) => `${PACKAGES}/${name}/node_modules`);
  for (const folder of ["node_modules", `${PACKAGES}/node_modules`, ...inside]) {
    const others = await namesIn(root, folder, (entry) => !entry.isSymbolicLink());
    for (const name of others) {
      // A file x.js is what a program gets that asks for x.
      const path = `${folder}/${name}`;
      if (!own.has(path)) problems.push({ code: "other-entry", subject: path });
    }
    for (const name of await namesIn(root, folder, (entry) => entry.isSymbolicLink())) {
      const path = `${folder}/${name}`;
      const target = await realpath(join(root, path)).catch(() => undefined);
      const item = target === undefined ? undefined : places.get(target);
      if (item?.name !== name) problems.push({ code: "other-link", subject: path });
    }
  }
  for (const subject of await otherPrograms(root, installed)) {
    problems.push({ code: "other-program", subject });
  }
  let sound = 0;
  const queue = [...installed];
  const work = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      const { key, path } = item;
      const expected = listed.get(key);
      try {
        if (expected === undefined) problems.push({ code: "not-listed", subject: path });
        else if (await packageDigest(root, item) === expected) sound++;
        else problems.push({ code: "other-files", subject: path });
      } catch (error) {
        unreadable(path, error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  problems.sort((a, b) => a.subject < b.subject ? -1 : 1);
  return { sound, problems };
}

/** `deno task` puts it before everything else that programs are looked up in. */
const PROGRAMS = "node_modules/.bin";
/** What Windows has in a link's place. */
const WINDOWS_PROGRAM = /\.(?:cmd|ps1)$/;

/** What of the programs no package brings along, or leads elsewhere than to the package's own. */
async function otherPrograms(
  root: string,
  installed: readonly InstalledPackage[],
): Promise<readonly string[]> {
  const programs = new Map<string, string[]>();
  for (const { name, path } of installed) {
    const { value } = await readJson(join(root, path, "package.json"));
    const { bin } = (value ?? {}) as { bin?: unknown };
    const brought = typeof bin === "string" ? { [lastPart(name)]: bin } : bin ?? {};
    for (const [program, file] of Object.entries(brought)) {
      const places = programs.get(program) ?? [];
      programs.set(program, [...places, join(await realpath(join(root, path)), String(file))]);
    }
  }
  const others: string[] = [];
  for (const name of await readdir(join(root, PROGRAMS)).catch(() => [])) {
    const path = `${PROGRAMS}/${name}`;
    const isWindows = process.platform === "win32";
    const places = programs.get(isWindows ? name.replace(WINDOWS_PROGRAM, "") : name);
    const target = await realpath(join(root, path)).catch(() => "");
    if (places === undefined || !isWindows && !places.includes(target)) others.push(path);
  }
  return others;
}
