/**
 * The list of files that git keeps of a checkout, read without git.
 *
 * Format: Documentation/gitformat-index.adoc of git.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { NewBieError } from "../errors.ts";
import { isMissing } from "../files.ts";

/** A file as git has it. */
export interface TrackedFile {
  /** From the top of the checkout, with `/`. */
  readonly path: string;
  /** Whether the file is a symbolic link; then git has what it leads to. */
  readonly isLink: boolean;
  /** The hash of `blob`, the length and the bytes, in hexadecimal. */
  readonly id: string;
}

/** What git tracks, and by which hash. */
export interface GitIndex {
  readonly algorithm: "sha1" | "sha256";
  readonly files: readonly TrackedFile[];
}

const SIGNATURE = "DIRC";
const VERSIONS = [2, 3, 4];
const HEADER_BYTES = 12;
/** Times, device, inode, mode, owner and size stand before the hash; the mode at this place. */
const STAT_BYTES = 40;
const MODE_AT = 24;
const TYPE_SHIFT = 12;
const LINK_TYPE = 0b1010;
const FILE_TYPE = 0b1000;
const EXTENDED_FLAG = 0x4000;
/** Set for a file that git was told not to put into the checkout. */
const SKIPPED_FLAG = 0x4000;
const NAME_LENGTH_MASK = 0xfff;
const ENTRY_ALIGNMENT = 8;
const HASH_BYTES = { sha1: 20, sha256: 32 } as const;

/**
 * @param root The top of a checkout.
 * @returns What git tracks there; undefined where there is no checkout.
 * @throws {NewBieError} When the index is damaged, or of a kind that is not known.
 */
export async function readGitIndex(root: string): Promise<GitIndex | undefined> {
  const folder = await gitFolder(root);
  if (folder === undefined) return undefined;
  const bytes = await readIfThere(join(folder, "index"));
  if (bytes === undefined) return undefined;
  // A further working tree shares the configuration of the first.
  const common = (await readIfThere(join(folder, "commondir")))?.toString().trim() ?? ".";
  const config = (await readIfThere(join(folder, common, "config")))?.toString() ?? "";
  const algorithm = /^\s*objectformat\s*=\s*sha256\s*$/im.test(config) ? "sha256" : "sha1";
  try {
    return { algorithm, files: entriesOf(bytes, HASH_BYTES[algorithm]) };
  } catch (cause) {
    throw new NewBieError(
      `Git's index of ${root} cannot be read, so that the sources cannot be compared with what git ` +
        "has. git status tells more, and git read-tree HEAD makes a new index.",
      {
        cause,
        zh: `无法读取 ${root} 的 git 索引，因此不能将源代码与 git 中的比较。` +
          "详情请看 git status；git read-tree HEAD 可重建索引。",
      },
    );
  }
}

/** Where git keeps what belongs to a checkout: `.git`, or what a file of this name leads to. */
async function gitFolder(root: string): Promise<string | undefined> {
  const place = join(root, ".git");
  try {
    const text = (await readFile(place)).toString();
    const target = /^gitdir: (.+)$/m.exec(text)?.[1];
    return target === undefined ? undefined : resolve(dirname(place), target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EISDIR") return place;
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function entriesOf(bytes: Buffer, hashBytes: number): TrackedFile[] {
  const version = bytes.readUInt32BE(4);
  if (bytes.toString("latin1", 0, 4) !== SIGNATURE || !VERSIONS.includes(version)) {
    throw new Error(`version ${version} is not known`);
  }
  const files: TrackedFile[] = [];
  let at = HEADER_BYTES;
  let name: Buffer = Buffer.alloc(0);
  for (let rest = bytes.readUInt32BE(8); rest > 0; rest--) {
    const start = at;
    const type = bytes.readUInt32BE(at + MODE_AT) >> TYPE_SHIFT;
    at += STAT_BYTES;
    const id = bytes.toString("hex", at, at + hashBytes);
    at += hashBytes;
    const flags = bytes.readUInt16BE(at);
    at += 2;
    const isExtended = (flags & EXTENDED_FLAG) !== 0;
    const isSkipped = isExtended && (bytes.readUInt16BE(at) & SKIPPED_FLAG) !== 0;
    if (isExtended) at += 2;
    if (version === 4) {
      // The name takes some bytes off the previous one, and has others instead.
      const [cut, behind] = offsetAt(bytes, at);
      const end = bytes.indexOf(0, behind);
      if (end < 0) throw new RangeError("a name has no end");
      name = Buffer.concat([name.subarray(0, name.length - cut), bytes.subarray(behind, end)]);
      at = end + 1;
    } else {
      const length = flags & NAME_LENGTH_MASK;
      const end = length === NAME_LENGTH_MASK ? bytes.indexOf(0, at) : at + length;
      name = bytes.subarray(at, end);
      // One to eight zeros follow.
      at = start + Math.ceil((end + 1 - start) / ENTRY_ALIGNMENT) * ENTRY_ALIGNMENT;
    }
    if (isSkipped || type !== LINK_TYPE && type !== FILE_TYPE) continue;
    files.push({ path: name.toString(), isLink: type === LINK_TYPE, id });
  }
  return files;
}

/** A whole number in the form that git's packs have it in, and where it ends. */
function offsetAt(bytes: Buffer, at: number): readonly [value: number, behind: number] {
  let byte = bytes.readUInt8(at++);
  let value = byte & 0x7f;
  while ((byte & 0x80) !== 0) {
    byte = bytes.readUInt8(at++);
    value = (value + 1) * 128 + (byte & 0x7f);
  }
  return [value, at];
}
