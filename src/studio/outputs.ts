/**
 * Where pictures go: new files below one folder, and nothing is ever replaced.
 *
 * @module
 */
import { realpath } from "node:fs/promises";
import { dirname, join, normalize, relative, sep } from "node:path";
import { NewBieError, RequestError } from "../errors.ts";
import { writeNewFile } from "../files.ts";
import type { Texts } from "../language.ts";
import { UnfinishedFile } from "../unfinished.ts";

/** The folder below which all pictures lie. */
export const OUTPUTS = "outputs";

/**
 * The folder of a sitting, by the local time of its beginning: `outputs/YYYYMMDD_HHMM`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(folderOfTime(new Date(2026, 0, 5, 9, 7)), "outputs/20260105_0907");
 * ```
 */
export function folderOfTime(time: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const date = `${time.getFullYear()}${two(time.getMonth() + 1)}${two(time.getDate())}`;
  return join(OUTPUTS, `${date}_${two(time.getHours())}${two(time.getMinutes())}`);
}

/**
 * The path of a picture's file inside a folder of outputs; `.png` is added where it is missing.
 *
 * @throws {RequestError} When the name is empty, absolute, leads out of the folder, or holds what no
 *   file name can hold.
 */
export function pictureName(name: string): string {
  const trimmed = name.trim();
  const normal = normalize(trimmed.replaceAll("\\", "/"));
  const parts = normal.split("/");
  const problem: Texts<string> | undefined = /^(\.png)?$/i.test(parts.at(-1)!) || normal === "."
    ? { en: "it names no file", zh: "没有指明文件" }
    : normal.startsWith("/") || /^[a-z]:/i.test(normal)
    ? { en: "it is an absolute path", zh: "这是绝对路径" }
    : parts.includes("..")
    ? { en: "it leads out of the folder", zh: "会离开输出文件夹" }
    : /[\p{Cc}\p{Cf}]/u.test(normal)
    ? { en: "it holds an invisible character", zh: "含有不可见字符" }
    : parts.some((part) => new TextEncoder().encode(part).length > LONGEST_NAME)
    ? { en: `it is longer than ${LONGEST_NAME} bytes`, zh: `超过 ${LONGEST_NAME} 字节` }
    : undefined;
  if (problem !== undefined) {
    throw new RequestError(
      `${
        JSON.stringify(name)
      } cannot be the name of a picture: ${problem.en}. Pictures stay inside ` +
        `${OUTPUTS}/: give a name such as miku.png or miku/smile.png.`,
      {
        zh: `${JSON.stringify(name)} 不能作为图片的文件名：${problem.zh}。` +
          `图片只能保存在 ${OUTPUTS}/ 内：请使用 miku.png 或 miku/smile.png 之类的名字。`,
      },
    );
  }
  return /\.png$/i.test(normal) ? normal : `${normal}.png`;
}

/** Leaves room for the number and the temporary file's additions in the 255 bytes of a name. */
const LONGEST_NAME = 180;

/** How to save a picture. */
export interface SaveOptions {
  /** The picture's id in a batch, which tells equal pictures. */
  readonly id?: string | undefined;
  /** The id of a picture that was saved before. */
  readonly idOf?: ((path: string) => Promise<string | undefined>) | undefined;
  /**
   * The folder that no picture may leave.
   *
   * @default {"outputs"}
   */
  readonly root?: string;
}

/**
 * Saves a picture in a folder of outputs: whole or not at all, under its name or, where that is
 * taken, with the next free number (`output-2.png`).
 *
 * @param folder The folder, `outputs` or one inside; made where it is missing.
 * @param name What {@linkcode pictureName} made of the wish.
 * @returns The path of the new file.
 * @throws {RequestError} When a symbolic link would lead out of the outputs.
 * @throws {NewBieError} When the disk does not take it, with what to do.
 */
export async function savePicture(
  folder: string,
  name: string,
  png: Uint8Array,
  { id, idOf, root = OUTPUTS }: SaveOptions = {},
): Promise<string> {
  const path = join(folder, name);
  try {
    await makeFolder(dirname(path), root);
    const isSame = async (path: string) => id !== undefined && await idOf?.(path) === id;
    return await writeNewFile(numbered(path), png, isSame);
  } catch (error) {
    throw diskError(error, path);
  }
}

/**
 * Makes sure, before a picture is made, that there is a place for it.
 *
 * @throws {RequestError} When a symbolic link would lead out of the outputs.
 * @throws {NewBieError} When the folder cannot be made or written to, with what to do.
 */
export async function prepareFolder(folder: string, root = OUTPUTS): Promise<void> {
  try {
    await makeFolder(folder, root);
    await using _probe = await UnfinishedFile.create(join(folder, "probe"));
  } catch (error) {
    throw diskError(error, folder);
  }
}

async function makeFolder(folder: string, root: string): Promise<void> {
  await Deno.mkdir(root, { recursive: true });
  await refuseWayOut(folder, root);
  await Deno.mkdir(folder, { recursive: true });
}

/** What a disk says when it takes nothing more, in words for people. */
const DISK_FAULTS: Readonly<Record<string, Texts<string>>> = {
  ENOSPC: {
    en: "the disk is full. Make room, or let outputs/ be a link to another disk",
    zh: "磁盘已满。请腾出空间，或让 outputs/ 链接到另一块磁盘",
  },
  EDQUOT: {
    en: "your quota of disk space is used up. Make room",
    zh: "磁盘配额已用完。请腾出空间",
  },
  EROFS: {
    en: "the file system is read-only. Mount it for writing",
    zh: "文件系统是只读的。请以可写方式挂载",
  },
  EACCES: {
    en: "you may not write there. Change its permissions or owner",
    zh: "没有写入权限。请修改权限或所有者",
  },
  EPERM: {
    en: "you may not write there. Change its permissions or owner",
    zh: "没有写入权限。请修改权限或所有者",
  },
  EEXIST: {
    en: "a file stands where a folder is needed. Move it away",
    zh: "需要文件夹的地方有一个文件。请移走它",
  },
  ENOTDIR: {
    en: "a file stands where a folder is needed. Move it away",
    zh: "需要文件夹的地方有一个文件。请移走它",
  },
};

/** The disk takes no picture at all: it is no use to make more. */
export class DiskError extends NewBieError {
  override name = "DiskError";
}

function diskError(error: unknown, path: string): unknown {
  const fault = DISK_FAULTS[(error as NodeJS.ErrnoException)?.code ?? ""];
  if (fault === undefined) return error;
  return new DiskError(`${path} cannot be written: ${fault.en}.`, {
    cause: error,
    zh: `无法写入 ${path}：${fault.zh}。`,
  });
}

/** `a.png`, `a-2.png`, `a-3.png`… */
function* numbered(path: string): Generator<string> {
  yield path;
  const stem = path.slice(0, -".png".length);
  const ending = path.slice(stem.length);
  for (let number = 2;; number++) yield `${stem}-${number}${ending}`;
}

async function refuseWayOut(folder: string, root: string): Promise<void> {
  const [real, realRoot] = await Promise.all([realExisting(folder), realpath(root)]);
  const way = relative(realRoot, real);
  if (way !== ".." && !way.startsWith(`..${sep}`)) return;
  throw new RequestError(
    `${folder} is a link that leads out of ${root}/, to ${real}. Choose another name.`,
    { zh: `${folder} 是一个指向 ${root}/ 之外（${real}）的链接。请换一个名字。` },
  );
}

/** Where the deepest folder of a path that exists really lies. */
async function realExisting(folder: string): Promise<string> {
  try {
    return await realpath(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return await realExisting(dirname(folder));
  }
}
