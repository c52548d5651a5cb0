/**
 * Where pictures go: new files below one folder, and nothing is ever replaced.
 *
 * @module
 */
import { readlink, realpath } from "node:fs/promises";
import { basename, dirname, extname, isAbsolute, join, posix, relative, sep } from "node:path";
import { NewBieError, RequestError } from "../errors.ts";
import { exists, writeNewFile } from "../files.ts";
import { formatOfName, PICTURE_ENDINGS } from "../image/mod.ts";
import type { Texts } from "../language.ts";
import { visible } from "../shown.ts";
import { systemCode } from "../system_reason.ts";
import { UnfinishedFile } from "../unfinished.ts";

/** The folder below which all pictures lie. */
export const OUTPUTS = "outputs";

/**
 * The folder of a day, by local time: `outputs/YYYYMMDD`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(folderOfDay(new Date(2026, 0, 5)), "outputs/20260105");
 * ```
 */
export function folderOfDay(time: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return join(OUTPUTS, `${time.getFullYear()}${two(time.getMonth() + 1)}${two(time.getDate())}`);
}

/** What a file system takes for a name, but Windows does not: a picture may be copied there. */
const NOT_ON_WINDOWS = /[<>:"|?*]/;
/** Names of devices on Windows, with whatever ending. */
const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?:$|[ .])/i;
/** The ending of any format. Numbers alone are none: `v1.5`. */
const ENDING = /.\.((?=[0-9]*[a-z])[a-z0-9]{1,5})$/i;
/** The endings of what is written, with their dot. */
const WRITTEN = new RegExp(`\\.(?:${PICTURE_ENDINGS.join("|")})$`, "i");

/**
 * The path of a picture's file inside a folder of outputs. Its ending says the format: `.png`, `.jpg`,
 * `.jpeg`, `.webp` or `.avif`; where there is none, `.png` is added.
 *
 * @throws {RequestError} When the name is empty, absolute, leads out of the folder, holds what no
 *   file name can hold on some system, or has the ending of another kind of picture.
 */
export function pictureName(name: string): string {
  const normal = normalized(name);
  const problem = nameProblem(normal) ?? endingProblem(basename(normal));
  if (problem !== undefined) {
    const { en, zh } = problem;
    throw new RequestError(
      `${JSON.stringify(name)} cannot be the name of a picture: ${en}. Pictures stay inside ` +
        `${OUTPUTS}/: give a name such as miku.png or miku/smile.png.`,
      {
        zh: `${JSON.stringify(name)} 不能作为图片的文件名：${zh}。` +
          `图片只能保存在 ${OUTPUTS}/ 内：请使用 miku.png 或 miku/smile.png 之类的名字。`,
      },
    );
  }
  return WRITTEN.test(normal) ? normal : `${normal}.png`;
}

function endingProblem(name: string): Texts<string> | undefined {
  const ending = ENDING.exec(name)?.[1];
  if (ending === undefined || formatOfName(name) !== undefined) return undefined;
  return {
    en: `pictures are written as ${PICTURE_ENDINGS.join(", ")}, not as ${ending}; ` +
      `for a PNG with a dot in its name, write ${name}.png`,
    zh: `图片可写为 ${PICTURE_ENDINGS.join("、")}，不能写为 ${ending}；` +
      `若要在 PNG 的名字里保留点号，请写 ${name}.png`,
  };
}

/**
 * The path of a folder inside the folder of outputs.
 *
 * @throws {RequestError} When the name is empty, absolute, leads out of the outputs, or holds what no
 *   file name can hold on some system.
 */
export function folderName(name: string): string {
  const normal = normalized(name).replace(/\/+$/, "");
  const problem = nameProblem(normal);
  if (problem === undefined) return normal;
  throw new RequestError(
    `${JSON.stringify(name)} cannot be the name of a folder: ${problem.en}. Pictures stay inside ` +
      `${OUTPUTS}/: give a name such as miku or miku/smiles.`,
    {
      zh: `${JSON.stringify(name)} 不能作为文件夹的名字：${problem.zh}。` +
        `图片只能保存在 ${OUTPUTS}/ 内：请使用 miku 或 miku/smiles 之类的名字。`,
    },
  );
}

/**
 * What a picture is called after a file of any name: what cannot stand in the name of a file on some
 * system is replaced, and a name that is too long loses its end.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(nameAfter("miku: smile?"), "miku_ smile_");
 * assert.equal(nameAfter("con"), "_con");
 * ```
 */
export function nameAfter(stem: string): string {
  // `visible` writes what cannot be seen as \u202e.
  const name = visible(stem).replaceAll(/[<>:"|?*\\/]/g, "_").trim().replace(/[. ]+$/, "_");
  let kept = "";
  for (const { segment } of new Intl.Segmenter().segment(DEVICE.test(name) ? `_${name}` : name)) {
    if (byteLength(kept + segment) > LONGEST_STEM) break;
    kept += segment;
  }
  return kept === "" ? "_" : kept;
}

/** With `/` on Windows, too. */
function normalized(name: string): string {
  return posix.normalize(name.trim().replaceAll("\\", "/"));
}

function nameProblem(normal: string): Texts<string> | undefined {
  const parts = normal.split("/");
  const unfit = parts.find((part) => NOT_ON_WINDOWS.test(part));
  if (parts.at(-1)!.replace(WRITTEN, "") === "" || normal === ".") {
    return { en: "it names no file", zh: "没有指明文件" };
  }
  if (normal.startsWith("/") || /^[a-z]:/i.test(normal)) {
    return { en: "it is an absolute path", zh: "这是绝对路径" };
  }
  if (parts.includes("..")) return { en: "it leads out of the folder", zh: "会离开输出文件夹" };
  if (visible(normal) !== normal) {
    return { en: "it holds an invisible character", zh: "含有不可见字符" };
  }
  if (unfit !== undefined) {
    const [character] = NOT_ON_WINDOWS.exec(unfit)!;
    return {
      en: `Windows allows no ${character} in a name`,
      zh: `Windows 的文件名不能含有 ${character}`,
    };
  }
  if (parts.some((part) => DEVICE.test(part))) {
    return { en: "Windows keeps that name for a device", zh: "Windows 把这个名字留给设备" };
  }
  if (parts.some((part) => /[. ]$/.test(part))) {
    return {
      en: "Windows allows no dot or space at the end of a name",
      zh: "Windows 的文件名不能以点或空格结尾",
    };
  }
  if (parts.some((part) => byteLength(part.replace(WRITTEN, "")) > LONGEST_STEM)) {
    return { en: `it is longer than ${LONGEST_STEM} bytes`, zh: `超过 ${LONGEST_STEM} 字节` };
  }
  return undefined;
}

/** Leaves room for `-1234.avif` in the 255 bytes that a name may have. */
const LONGEST_STEM = 245;

const byteLength = (text: string) => new TextEncoder().encode(text).length;

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

/**
 * Makes sure of a place for the pictures of a day: {@linkcode folderOfDay}, or where that belongs to
 * somebody else with whom the outputs are shared, the next of `outputs/YYYYMMDD-2`, `-3`….
 *
 * @param root The folder of outputs, where it is not `outputs`.
 * @throws {RequestError} When a symbolic link would lead out of the outputs.
 * @throws {NewBieError} When no folder can be made or written to, with what to do.
 */
export async function openFolderOfDay(time: Date, root = OUTPUTS): Promise<string> {
  const first = folderOfDay(time).replace(OUTPUTS, () => root);
  for (let number = 1;; number++) {
    const folder = number === 1 ? first : `${first}-${number}`;
    try {
      await prepareFolder(folder, root);
      return folder;
    } catch (error) {
      const isTaken = error instanceof DiskError &&
        DENIALS.includes(systemCode(error.cause) ?? "") &&
        number < MOST_FOLDERS && await exists(folder);
      if (!isTaken) throw error;
    }
  }
}

/** What is said of a folder that belongs to somebody else. */
const DENIALS = ["EACCES", "EPERM"];
const MOST_FOLDERS = 1000;

async function makeFolder(folder: string, root: string): Promise<void> {
  if (!await exists(root)) await refuseLostLink(root);
  await Deno.mkdir(root, { recursive: true });
  await refuseWayOut(folder, root);
  await Deno.mkdir(folder, { recursive: true });
}

/** @throws {DiskError} When a path is a link to what is not there, such as a disk that is not mounted. */
async function refuseLostLink(path: string): Promise<void> {
  const target = await readlink(path).catch(() => undefined);
  if (target === undefined) return;
  throw new DiskError(
    `${path} is a link to ${target}, and nothing is there. Mount the disk that it lies on, or make the ` +
      "link anew.",
    { zh: `${path} 是指向 ${target} 的链接，而那里什么也没有。请挂载其所在的磁盘，或重建链接。` },
  );
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

/** The disk cannot take any picture, so there is no point in making more. */
export class DiskError extends NewBieError {
  override name = "DiskError";
}

/** What to say of an error where a picture was to be written; other errors stay what they are. */
export function diskError(error: unknown, path: string): unknown {
  const fault = DISK_FAULTS[systemCode(error) ?? ""];
  if (fault === undefined) return error;
  return new DiskError(`${path} cannot be written: ${fault.en}.`, {
    cause: error,
    zh: `无法写入 ${path}：${fault.zh}。`,
  });
}

/** The names under which a picture may be saved: `a.png`, `a-2.png`, `a-3.png`… */
export function* numbered(path: string): Generator<string> {
  yield path;
  const ending = extname(path);
  const stem = path.slice(0, -ending.length);
  for (let number = 2;; number++) yield `${stem}-${number}${ending}`;
}

async function refuseWayOut(folder: string, root: string): Promise<void> {
  const [real, realRoot] = await Promise.all([realExisting(folder), realpath(root)]);
  const way = relative(realRoot, real);
  // From one of Windows' drives no way leads to another.
  if (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way)) return;
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
