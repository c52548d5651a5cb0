import { posix } from "node:path";
import { NewBieError } from "../errors.ts";
import type { Texts } from "../language.ts";

/** The list's name, at the top of the project or of a model's folder. */
export const CHECKSUM_LIST = "checksums.txt";

/** Checksums by path, relative to the list's folder and with `/`. */
export type Checksums = ReadonlyMap<string, string>;

/** A list of checksums that is not one. */
export class ChecksumListError extends NewBieError {
  override name = "ChecksumListError";
  /** The list, as the caller named it. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;

  constructor(file: string, line: number, { en, zh }: Texts<string>) {
    super(`${file}:${line}: ${en}`, { zh: `${file}:${line}：${zh}` });
    this.file = file;
    this.line = line;
  }
}

/**
 * `sha256sum` puts a space before a name, or a star where it read the file as binary; and a backslash
 * before the whole line where the name is escaped.
 */
const LINE = /^(\\?)([0-9a-f]{64}) [ *]([^]+)$/;

/** How `sha256sum` writes what would end a line, or look as if it were escaped. */
const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r" };

/**
 * Reads what `sha256sum` prints: a checksum, two spaces and a path on each line. A line that begins
 * with a backslash has `\\`, `\n` and `\r` in its path for a backslash and the ends of lines.
 *
 * @param file What messages call it.
 * @throws {ChecksumListError} When a line is something else, a path stands there twice, or leads out
 *   of the list's folder.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
 * const checksums = parseChecksums(`${abc}  models/abc.txt\n`, "checksums.txt");
 * assert.equal(checksums.get("models/abc.txt"), abc);
 * ```
 */
export function parseChecksums(text: string, file: string): Checksums {
  const checksums = new Map<string, string>();
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  for (const [index, line] of lines.entries()) {
    const fail = (texts: Texts<string>) => new ChecksumListError(file, index + 1, texts);
    const [, escaped, sha256, name] = LINE.exec(line) ?? [];
    const path = name === undefined || !escaped ? name : unescaped(name);
    if (sha256 === undefined || path === undefined) {
      throw fail({
        en: "this is no line of sha256sum: 64 hexadecimal digits, two spaces, a path.",
        zh: "这不是 sha256sum 的格式：64 位十六进制数字、两个空格、路径。",
      });
    }
    if (!isPlain(path)) {
      throw fail({
        en: `${path} must be a plain path below the list's folder.`,
        zh: `${path} 应为列表所在文件夹之内的普通路径。`,
      });
    }
    if (checksums.has(path)) {
      throw fail({ en: `${path} is in it twice.`, zh: `${path} 出现了两次。` });
    }
    checksums.set(path, sha256);
  }
  return checksums;
}

/**
 * Writes a list as `sha256sum -c` reads it, in the order of the paths. {@linkcode parseChecksums}
 * can read what it returns.
 *
 * @throws {NewBieError} When a path is none that a list can name.
 */
export function formatChecksums(checksums: Checksums): string {
  const entries = [...checksums].sort(([a], [b]) => a < b ? -1 : 1);
  return entries.map(([path, sha256]) => {
    if (!isPlain(path) || !path.isWellFormed() || path.includes("\0")) {
      const shown = JSON.stringify(path);
      throw new NewBieError(
        `No list of checksums can name ${shown}. Give the file a plain name below the list's folder.`,
        { zh: `校验值列表无法写入 ${shown}。请给文件起一个位于列表所在文件夹之内的普通名称。` },
      );
    }
    const name = path.replaceAll(/[\\\n\r]/g, (character) => ESCAPES[character]!);
    return `${name === path ? "" : "\\"}${sha256}  ${name}\n`;
  }).join("");
}

/** Whether a path has one spelling, and leads to something below the list's folder. */
function isPlain(path: string): boolean {
  return path !== "" && path !== "." && path !== ".." && !posix.isAbsolute(path) &&
    !path.endsWith("/") && posix.normalize(path) === path && !path.startsWith("../");
}

/** Undefined where a backslash stands before something that needs none. */
function unescaped(name: string): string | undefined {
  let isRight = true;
  const path = name.replaceAll(/\\([^]?)/g, (_, letter: string) => {
    const found = Object.entries(ESCAPES).find(([, escape]) => escape === `\\${letter}`);
    isRight &&= found !== undefined;
    return found?.[0] ?? "";
  });
  return isRight ? path : undefined;
}
