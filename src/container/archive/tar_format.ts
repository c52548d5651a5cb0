/**
 * Headers of tar archives, as POSIX.1-2001 (pax), its predecessor ustar and GNU tar write them.
 *
 * Bundles are cut into volumes at any byte and taken up again where they were left, and layers are
 * put in another order without being unpacked. Both need to know where each byte of an archive lies,
 * which libraries keep to themselves.
 *
 * Paths have one character for each byte (latin1), so that any name comes through unchanged and
 * comparing strings compares bytes.
 */
import { Buffer } from "node:buffer";

/** Archives consist of blocks of so many bytes. */
export const BLOCK_BYTES = 512;

/** The kinds of entries, by what stands for them in a header. */
const TYPE_FLAGS = {
  file: "0",
  link: "1",
  symlink: "2",
  "character-device": "3",
  "block-device": "4",
  directory: "5",
  fifo: "6",
} as const;

export type TarEntryType = keyof typeof TYPE_FLAGS;

/** What an archive says of a file. */
export interface TarHeader {
  readonly path: string;
  readonly type: TarEntryType;
  /** Bytes of content; 0 for all but files. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** What a link or symbolic link leads to; empty for all others. */
  readonly target: string;
  /** A device's major and minor number. */
  readonly device: readonly [major: number, minor: number];
  /** Extended attributes by their names, values with one character for each byte. */
  readonly attributes: ReadonlyMap<string, string>;
}

/**
 * How to write what does not fit a plain header: `pax` is what Go's readers (Docker's, Podman's)
 * understand in full, `gnu` is what even BusyBox unpacks.
 */
export type TarDialect = "pax" | "gnu";

/** A block of a header as it was read. */
export interface RawHeader {
  readonly flag: string;
  readonly path: string;
  readonly target: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly device: readonly [number, number];
}

/** Where a header's fields lie: offset and length. */
const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  flag: [156, 1],
  target: [157, 100],
  magic: [257, 6],
  version: [263, 2],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const;
type Field = keyof typeof FIELDS;

const PERMISSION_BITS = 0o7777;
const ATTRIBUTE_PREFIX = "SCHILY.xattr.";
/** Set in a number's first byte where it is binary: GNU's way to write large ones. */
const BINARY_NUMBER = 0x80;

/** Whether a block has nothing in it: two of them end an archive. */
export function isEmptyBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/** Bytes that fill up the last block of some content. */
export function paddingOf(bytes: number): number {
  return (BLOCK_BYTES - bytes % BLOCK_BYTES) % BLOCK_BYTES;
}

/** Reads a header's block; undefined where the checksum says that it is none. */
export function decodeHeader(block: Uint8Array): RawHeader | undefined {
  const text = (field: Field) => {
    const [offset, length] = FIELDS[field];
    const bytes = Buffer.from(block.buffer, block.byteOffset + offset, length);
    const end = bytes.indexOf(0);
    return bytes.toString("latin1", 0, end < 0 ? length : end);
  };
  const number = (field: Field) => {
    const [offset, length] = FIELDS[field];
    const bytes = block.subarray(offset, offset + length);
    if (bytes[0]! < BINARY_NUMBER) return parseInt(text(field).trim() || "0", 8);
    return bytes.subarray(1).reduce((value, byte) => value * 256 + byte, bytes[0]! & 0x3f);
  };
  if (number("checksum") !== checksumOf(block)) return undefined;
  const isUstar = text("magic") === "ustar";
  const prefix = isUstar ? text("prefix") : "";
  return {
    flag: text("flag") || TYPE_FLAGS.file,
    path: prefix === "" ? text("name") : `${prefix}/${text("name")}`,
    target: text("target"),
    size: number("size"),
    mode: number("mode") & PERMISSION_BITS,
    uid: number("uid"),
    gid: number("gid"),
    mtime: number("mtime"),
    device: isUstar ? [number("major"), number("minor")] : [0, 0],
  };
}

/** The kind of an entry; undefined where it is none of those that containers are made of. */
export function typeOf(flag: string): TarEntryType | undefined {
  // What old archives and contiguous files have in place of a file's flag.
  if (flag === "7") return "file";
  return (Object.keys(TYPE_FLAGS) as TarEntryType[]).find((type) => TYPE_FLAGS[type] === flag);
}

/** Reads pax records, `<length> <key>=<value>\n` each; undefined where they are damaged. */
export function decodeRecords(bytes: Uint8Array): Map<string, string> | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const records = new Map<string, string>();
  for (let at = 0; at < text.length;) {
    const space = text.indexOf(" ", at);
    const digits = text.slice(at, space);
    const end = at + Number(digits);
    const equals = text.indexOf("=", space);
    if (space < 0 || !/^\d+$/.test(digits) || equals < 0 || equals >= end) return undefined;
    if (end > text.length || text[end - 1] !== "\n") return undefined;
    records.set(text.slice(space + 1, equals), text.slice(equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** The extended attributes among pax records. */
export function attributesIn(records: ReadonlyMap<string, string>): Map<string, string> {
  return new Map(
    [...records].filter(([key]) => key.startsWith(ATTRIBUTE_PREFIX))
      .map(([key, value]) => [key.slice(ATTRIBUTE_PREFIX.length), value]),
  );
}

/** Writes all that stands before an entry's content. The same header always gives the same bytes. */
export function encodeHeader(header: TarHeader, dialect: TarDialect = "pax"): Uint8Array {
  const { path, target } = header;
  const place = splitPath(path);
  const isPlainTarget = isPlain(target, FIELDS.target[1]);
  const before: Uint8Array[] = [];
  if (dialect === "gnu") {
    if (place === undefined) before.push(gnuLongName("L", path));
    if (!isPlainTarget) before.push(gnuLongName("K", target));
  } else {
    const records = new Map<string, string>();
    if (place === undefined) records.set("path", path);
    if (!isPlainTarget) records.set("linkpath", target);
    for (const [name, value] of header.attributes) records.set(ATTRIBUTE_PREFIX + name, value);
    if (records.size > 0) before.push(paxRecords(records));
  }
  const [prefix, name] = place ?? ["", path.slice(0, FIELDS.name[1])];
  const block = headerBlock({
    ...header,
    flag: TYPE_FLAGS[header.type],
    prefix,
    name,
    target: target.slice(0, FIELDS.target[1]),
  });
  return Buffer.concat([...before, block]);
}

/** The two empty blocks that end an archive. */
export const END_OF_ARCHIVE = new Uint8Array(2 * BLOCK_BYTES);

function headerBlock(
  { prefix, name, target, flag, size, mode, uid, gid, mtime, device: [major, minor] }:
    & Omit<RawHeader, "path">
    & { readonly prefix: string; readonly name: string },
): Uint8Array {
  const block = Buffer.alloc(BLOCK_BYTES);
  const text = (field: Field, value: string) => block.write(value, FIELDS[field][0], "latin1");
  const number = (field: Field, value: number) => {
    const [offset, length] = FIELDS[field];
    const octal = value.toString(8).padStart(length - 1, "0");
    if (octal.length < length) {
      block.write(octal, offset, "latin1");
      return;
    }
    for (let at = offset + length - 1, rest = value; at > offset; at--) {
      block[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    block[offset] = BINARY_NUMBER;
  };
  text("name", name);
  number("mode", mode);
  number("uid", uid);
  number("gid", gid);
  number("size", size);
  number("mtime", mtime);
  text("flag", flag);
  text("target", target);
  text("magic", "ustar");
  text("version", "00");
  number("major", major);
  number("minor", minor);
  text("prefix", prefix);
  // As every tar writes it: six digits, NUL, space.
  block.write(`${checksumOf(block).toString(8).padStart(6, "0")}\0 `, FIELDS.checksum[0], "latin1");
  return block;
}

/** The sum of a header's bytes, with spaces in the checksum's place. */
function checksumOf(block: Uint8Array): number {
  const [offset, length] = FIELDS.checksum;
  let sum = length * " ".charCodeAt(0);
  for (let at = 0; at < BLOCK_BYTES; at++) {
    if (at < offset || at >= offset + length) sum += block[at]!;
  }
  return sum;
}

/** A path in the two fields that a header has for it; undefined where it does not fit. */
function splitPath(path: string): readonly [prefix: string, name: string] | undefined {
  if (isPlain(path, FIELDS.name[1])) return ["", path];
  // The latest slash that may end the prefix; one at the end belongs to a folder's own name.
  const slash = path.slice(0, -1).lastIndexOf("/", FIELDS.prefix[1]);
  if (slash <= 0 || !isPlain(path, Infinity)) return undefined;
  const name = path.slice(slash + 1);
  return name.length <= FIELDS.name[1] ? [path.slice(0, slash), name] : undefined;
}

/** Whether a header can hold a text: in ASCII, and not too long. */
function isPlain(text: string, length: number): boolean {
  return text.length <= length && /^[\x20-\x7e]*$/.test(text);
}

const EXTENSION = { mode: 0o644, uid: 0, gid: 0, mtime: 0, device: [0, 0], prefix: "" } as const;

function gnuLongName(flag: "L" | "K", value: string): Uint8Array {
  const content = Buffer.from(`${value}\0`, "latin1");
  return extension(flag, "././@LongLink", content);
}

function paxRecords(records: ReadonlyMap<string, string>): Uint8Array {
  const lines = [...records].sort(([a], [b]) => a < b ? -1 : 1).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    // The length counts its own digits.
    let length = rest.length;
    while (String(length).length + rest.length > length) length++;
    return `${length}${rest}`;
  });
  return extension("x", "PaxHeader", Buffer.from(lines.join(""), "latin1"));
}

function extension(flag: string, name: string, content: Uint8Array): Uint8Array {
  const block = headerBlock({ ...EXTENSION, flag, name, target: "", size: content.length });
  return Buffer.concat([block, content, new Uint8Array(paddingOf(content.length))]);
}
