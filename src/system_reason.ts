import type { Texts } from "./language.ts";
import { shown } from "./shown.ts";
import { UnfitFileError } from "./whole_file.ts";

/**
 * Why the operating system, or Deno's permissions, refused something, in words; undefined for an
 * error of another kind. The words go on from "cannot be read:" as well as from a path and a colon.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const error = await Deno.readFile("no/such/file").catch((error) => error);
 * assert.equal(systemReason(error)?.en, "there is no such file or folder");
 * ```
 */
export function systemReason(error: unknown): Texts<string> | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof UnfitFileError) return error.reason;
  if (error.name === "NotCapable") return NOT_CAPABLE;
  const code = systemCode(error);
  if (code === undefined) return undefined;
  return REASONS[code] ?? {
    en: `the operating system refused (${code})`,
    zh: `操作系统拒绝了操作（${code}）`,
  };
}

/** The same where some reason has to be given: that of a library is in its own words. */
export function reasonOf(error: unknown): Texts<string> {
  const said = shown(error instanceof Error ? error.message : String(error));
  return systemReason(error) ?? { en: said, zh: said };
}

/**
 * The POSIX name of a system's error, such as `ENOSPC`, which Node's interface gives as a code and Deno's own
 * in other ways; undefined for an error of another kind.
 */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) return code;
  const number = /\(os error (\d+)\)/.exec(error.message)?.[1];
  return NAMES_BY_NUMBER[Number(number)] ?? NAMES_BY_CLASS[error.name] ??
    (number === undefined ? undefined : `os error ${number}`);
}

/** Linux's numbers. */
const NAMES_BY_NUMBER: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  5: "EIO",
  13: "EACCES",
  17: "EEXIST",
  20: "ENOTDIR",
  21: "EISDIR",
  24: "EMFILE",
  27: "EFBIG",
  28: "ENOSPC",
  30: "EROFS",
  36: "ENAMETOOLONG",
  39: "ENOTEMPTY",
  40: "ELOOP",
  122: "EDQUOT",
};

/** Deno's classes, where a message has no number. */
const NAMES_BY_CLASS: Readonly<Record<string, string>> = {
  NotFound: "ENOENT",
  PermissionDenied: "EACCES",
  AlreadyExists: "EEXIST",
  NotADirectory: "ENOTDIR",
  IsADirectory: "EISDIR",
  FilesystemLoop: "ELOOP",
};

const NO_FILE = { en: "there is no such file or folder", zh: "没有这个文件或文件夹" };
const FORBIDDEN = { en: "this user has no permission", zh: "当前用户没有权限" };
const FULL = { en: "the disk is full", zh: "磁盘已满" };
const NOT_CAPABLE = {
  en: "Deno was started without permission for this",
  zh: "启动 Deno 时没有授予此项权限",
};

const REASONS: Readonly<Record<string, Texts<string>>> = {
  ENOENT: NO_FILE,
  ENOTDIR: {
    en: "there is no such file or folder: a part of its path is a file",
    zh: "没有这个文件或文件夹：路径中有一部分是文件",
  },
  EISDIR: { en: "it is a folder, not a file", zh: "它是文件夹，不是文件" },
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  EROFS: { en: "the disk can only be read", zh: "磁盘是只读的" },
  EEXIST: { en: "it is there already", zh: "它已经存在" },
  ENOTEMPTY: { en: "the folder is not empty", zh: "文件夹不是空的" },
  ENOSPC: FULL,
  EDQUOT: { en: "the disk quota is used up", zh: "磁盘配额已用完" },
  EFBIG: { en: "the disk takes no file of this size", zh: "磁盘不支持这样大的文件" },
  ENAMETOOLONG: { en: "the name is too long", zh: "名称过长" },
  ELOOP: { en: "its links lead in a circle", zh: "链接形成了循环" },
  EMFILE: { en: "too many files are open", zh: "打开的文件过多" },
  EIO: { en: "the disk reported an error", zh: "磁盘报告了错误" },
};
