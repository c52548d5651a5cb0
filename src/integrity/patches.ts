import { Buffer } from "node:buffer";
import { chmod, readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { removeUnfinished, UnfinishedFile } from "../unfinished.ts";
import { readWhole } from "../whole_file.ts";
import { changeText, firstMisfit, hasChange, parsePatchText } from "./_patch_text.ts";
import type {
  AppliedPatch,
  FileChange,
  FileReport,
  Misfit,
  Patch,
  PatchReport,
  PatchState,
} from "./types.ts";

const PERMISSION_BITS = 0o777;

/**
 * Reads every `*.patch` of a folder, in the order of their names.
 *
 * @throws {PatchError} When one of them is not a unified diff, or changes anything but the text of
 *   installed packages' files.
 * @throws {Error} What the file system reports.
 */
export async function readPatches(folder: string): Promise<Patch[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".patch")).sort();
  return await Promise.all(
    names.map(async (name) => parsePatchText(name, await readLatin1(join(folder, name)))),
  );
}

/**
 * Says how a patch stands, and changes nothing.
 *
 * @param root The top of the project, which `node_modules` is in.
 *
 * @example
 * ```ts
 * for (const patch of await readPatches("patches")) {
 *   const { state } = await inspectPatch(patch, ".");
 *   console.log(`${patch.name}: ${state}`); // fix_dtype.patch: applied
 * }
 * ```
 */
export async function inspectPatch(patch: Patch, root: string): Promise<PatchReport> {
  return reportOf(patch, await Promise.all(patch.changes.map((change) => examine(change, root))));
}

/**
 * Puts a patch into the files that lack it, or into none when one of them does not fit.
 *
 * Each file is replaced and never written into: Deno's cache, which other projects use, may hold the
 * same file under another name. A process that reads meanwhile gets the old file or the new one, and
 * several that apply the same patch at once come to the same end.
 *
 * @param root The top of the project, which `node_modules` is in.
 * @returns How the patch stands now, and the files that were changed.
 * @throws {Error} What the file system reports.
 */
export async function applyPatch(patch: Patch, root: string): Promise<AppliedPatch> {
  // What a killed process left would stay for ever where nothing has to be written any more.
  const folders = new Set(patch.changes.map(({ path }) => dirname(join(root, path))));
  for (const folder of folders) await removeUnfinished(folder);
  const found = await Promise.all(patch.changes.map((change) => examine(change, root)));
  const before = reportOf(patch, found);
  if (before.state !== "not-applied") return { ...before, changed: [] };
  const changed: string[] = [];
  for (const { report, text } of found) {
    if (text === undefined) continue;
    await replace(join(root, report.path), text);
    changed.push(report.path);
  }
  const files = before.files.map(({ path }) => ({ path, state: "applied" as const }));
  return { ...before, state: "applied", files, changed };
}

/** How a file stands, and its text with the change where that is to be made. */
interface Examined {
  readonly report: FileReport;
  readonly text?: string;
}

async function examine(change: FileChange, root: string): Promise<Examined> {
  const { path } = change;
  const doesNotFit = (misfit: Misfit) => ({
    report: { path, state: "does-not-fit" as const, misfit },
  });
  const text = await readIfThere(join(root, path));
  if (text === undefined) {
    return doesNotFit({ code: "no-file", installed: await installedVersions(change, root) });
  }
  if (hasChange(text, change)) return { report: { path, state: "applied" } };
  const changed = changeText(text, change);
  if (changed === undefined) return doesNotFit(firstMisfit(text, change));
  return { report: { path, state: "not-applied" }, text: changed };
}

function reportOf({ name }: Patch, found: readonly Examined[]): PatchReport {
  const files = found.map(({ report }) => report);
  const inAnyState = (state: PatchState) => files.some((file) => file.state === state);
  const state = inAnyState("does-not-fit")
    ? "does-not-fit"
    : inAnyState("not-applied")
    ? "not-applied"
    : "applied";
  return { patch: name, state, files };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readLatin1(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function readLatin1(path: string): Promise<string> {
  return Buffer.from(await readWhole(path)).toString("latin1");
}

async function installedVersions({ packageName }: FileChange, root: string): Promise<string[]> {
  const prefix = `${packageName.replace("/", "+")}@`;
  const folders = await readdir(join(root, "node_modules/.deno")).catch(() => []);
  return folders.filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length)).sort();
}

async function replace(path: string, text: string): Promise<void> {
  const { mode } = await stat(path);
  await using file = await UnfinishedFile.create(path);
  await file.write(Buffer.from(text, "latin1"));
  await chmod(file.path, mode & PERMISSION_BITS);
  await file.keep();
}
