/** Unified diffs as text, read and applied by jsdiff. */
import { Buffer } from "node:buffer";
import { posix } from "node:path";
import { applyPatch, parsePatch, reversePatch, type StructuredPatch } from "diff";
import { PatchError } from "./patch_error.ts";
import type { FileChange, Hunk, Misfit, Patch } from "./types.ts";
import type { Texts } from "../language.ts";
import { reasonOf } from "../system_reason.ts";

/** Where Deno lays a package's files; a scope's slash is a plus there. */
const INSTALLED = /^node_modules\/\.deno\/(.+)@([^@/]+)\/node_modules\/(.+)$/;

/** Every hunk where it belongs or moved as a whole, but with each of its lines as it stands. */
const EXACT = { fuzzFactor: 0, autoConvertLineEndings: false };

/**
 * Reads a patch. Its text, as that of the files, has one character for each byte (latin1), so that
 * whatever they hold comes through unchanged.
 *
 * @throws {PatchError}
 */
export function parsePatchText(name: string, text: string): Patch {
  let parsed: StructuredPatch[];
  try {
    parsed = parsePatch(text);
  } catch (cause) {
    throw noDiff(name, reasonOf(cause), cause);
  }
  if (parsed.length === 0) throw noDiff(name, { en: "it has no hunk", zh: "没有任何改动" });
  const changes = parsed.map((part) => changeOf(name, part));
  const paths = changes.map(({ path }) => path);
  const twice = paths.find((path, index) => paths.indexOf(path) < index);
  if (twice !== undefined) {
    throw new PatchError(name, {
      en: `${twice} is in it twice; join the two parts.`,
      zh: `${twice} 出现了两次，请合并这两部分。`,
    });
  }
  return { name, changes };
}

/** The text with the change in it, or undefined where it does not fit. */
export function changeText(text: string, change: FileChange): string | undefined {
  return applied(text, structured(change));
}

/** Whether the change is in the text. */
export function hasChange(text: string, change: FileChange): boolean {
  return applied(text, reversePatch(structured(change))) !== undefined;
}

/** The first hunk that does not fit the text. */
export function firstMisfit(text: string, change: FileChange): Misfit {
  const { hunks } = change;
  // Where a hunk may lie depends on those before it, so they are tried together.
  const fits = (count: number) =>
    changeText(text, { ...change, hunks: hunks.slice(0, count) }) !== undefined;
  const number = hunks.findIndex((_, index) => !fits(index + 1)) + 1;
  const hunk = hunks[number - 1]!;
  return { code: "hunk", number, header: headerOf(hunk), lines: hunk.lines.map(readable) };
}

function applied(text: string, patch: StructuredPatch): string | undefined {
  const result = applyPatch(text, patch, EXACT);
  return result === false ? undefined : result;
}

function structured({ path, hunks }: FileChange): StructuredPatch {
  return {
    oldFileName: path,
    newFileName: path,
    oldHeader: undefined,
    newHeader: undefined,
    hunks: hunks.map((hunk) => ({ ...hunk, lines: [...hunk.lines] })),
  };
}

function changeOf(name: string, part: StructuredPatch): FileChange {
  const path = part.newFileName?.replace(/^b\//, "") ?? "";
  const before = part.oldFileName?.replace(/^a\//, "") ?? "";
  const subject = path || before || "?";
  const special = part.isCreate || part.isDelete || part.isRename || part.isCopy || part.isBinary ||
    part.newMode !== undefined;
  if (special || path !== before || part.hunks.length === 0) {
    throw new PatchError(name, {
      en:
        `${subject} is made, removed, renamed or binary. A patch can only change the text of a file.`,
      zh: `${subject} 被新建、删除、改名，或是二进制文件。补丁只能修改文件的文本内容。`,
    });
  }
  const [, folder, packageVersion] = INSTALLED.exec(path) ?? [];
  if (folder === undefined || packageVersion === undefined || posix.normalize(path) !== path) {
    throw new PatchError(name, {
      en: `${subject} is not in node_modules/.deno/<package>@<version>/node_modules/.`,
      zh: `${subject} 不在 node_modules/.deno/<软件包>@<版本>/node_modules/ 中。`,
    });
  }
  return { path, packageName: folder.replace("+", "/"), packageVersion, hunks: part.hunks };
}

function noDiff(name: string, reason: Texts<string>, cause?: unknown): PatchError {
  return new PatchError(name, {
    en: `this is not a unified diff (${reason.en}).`,
    zh: `这不是 unified diff 格式的补丁（${reason.zh}）。`,
  }, { cause });
}

function headerOf({ oldStart, oldLines, newStart, newLines }: Hunk): string {
  return `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`;
}

function readable(line: string): string {
  return Buffer.from(line, "latin1").toString("utf8");
}
