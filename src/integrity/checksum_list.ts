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

/** `sha256sum` puts a space before a name, or a star where it read the file as binary. */
const LINE = /^([0-9a-f]{64}) [ *](.+)$/;

/**
 * Reads what `sha256sum` prints: a checksum, two spaces and a path on each line.
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
    const [, sha256, path] = LINE.exec(line) ?? [];
    if (sha256 === undefined || path === undefined) {
      throw fail({
        en: "this is no line of sha256sum: 64 hexadecimal digits, two spaces, a path.",
        zh: "这不是 sha256sum 的格式：64 位十六进制数字、两个空格、路径。",
      });
    }
    if (posix.isAbsolute(path) || posix.normalize(path) !== path || path.startsWith("..")) {
      throw fail({
        en: `${path} must be a plain path below the list's folder.`,
        zh: `${path} 应为列表所在文件夹之内的普通路径。`,
      });
    }
    if (checksums.has(path)) {
      throw fail({ en: `${path} stands there twice.`, zh: `${path} 出现了两次。` });
    }
    checksums.set(path, sha256);
  }
  return checksums;
}

/** Writes a list as `sha256sum -c` reads it, in the order of the paths. */
export function formatChecksums(checksums: Checksums): string {
  const entries = [...checksums].sort(([a], [b]) => a < b ? -1 : 1);
  return entries.map(([path, sha256]) => `${sha256}  ${path}\n`).join("");
}
