/**
 * Where pictures go: new files below one folder, and nothing is ever replaced.
 *
 * @module
 */
import { realpath } from "node:fs/promises";
import { basename, dirname, join, normalize, relative, sep } from "node:path";
import { RequestError } from "../errors.ts";
import { writeNewFile } from "../files.ts";

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
  const problem = trimmed === "" || parts.at(-1) === "" || normal === "."
    ? "it names no file"
    : normal.startsWith("/") || /^[a-z]:/i.test(normal)
    ? "it is an absolute path"
    : parts.includes("..")
    ? "it leads out of the folder"
    // deno-lint-ignore no-control-regex
    : /[\0-\x1f\x7f]/.test(normal)
    ? "it holds a control character"
    : parts.some((part) => new TextEncoder().encode(part).length > LONGEST_NAME)
    ? `it is longer than ${LONGEST_NAME} bytes`
    : undefined;
  if (problem !== undefined) {
    throw new RequestError(
      `${JSON.stringify(name)} cannot be the name of a picture: ${problem}. Pictures stay inside ` +
        `${OUTPUTS}/: give a name such as miku.png or miku/smile.png.`,
    );
  }
  return /\.png$/i.test(normal) ? normal : `${normal}.png`;
}

/** Leaves room for the number and the temporary file's additions in the 255 bytes of a name. */
const LONGEST_NAME = 180;

/** How to save a picture. */
export interface SaveOptions {
  /**
   * Names the temporary file, so that a picture that was being saved when the process was killed
   * leaves nothing behind once it is made again.
   */
  readonly id?: string | undefined;
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
 */
export async function savePicture(
  folder: string,
  name: string,
  png: Uint8Array,
  { id, root = OUTPUTS }: SaveOptions = {},
): Promise<string> {
  const path = join(folder, name);
  await Deno.mkdir(root, { recursive: true });
  await refuseWayOut(dirname(path), root);
  await Deno.mkdir(dirname(path), { recursive: true });
  const temporary = id === undefined ? undefined : join(dirname(path), `.${id}${UNFINISHED}`);
  return await writeNewFile(numbered(path), png, temporary);
}

/** The end of a temporary file's name. */
const UNFINISHED = ".part";

/** The id that {@linkcode savePicture} named a temporary file after. */
export function idOfTemporaryFile(path: string): string | undefined {
  const name = basename(path);
  return name.startsWith(".") && name.endsWith(UNFINISHED)
    ? name.slice(1, -UNFINISHED.length)
    : undefined;
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
