/**
 * EXIF: what programs that draw pictures write into it, and which way up a picture is.
 *
 * Form: CIPA DC-008 (Exif 3.0), section 4; TIFF 6.0, section 2.
 *
 * @module
 */
import { bigEndian, concat, fromLatin1, latin1Bytes, startsWith, viewOf } from "./_bytes.ts";

/** What was read. */
export interface Exif {
  /** By the names of EXIF's tags. */
  readonly texts: Readonly<Record<string, string>>;
  /** EXIF's number of the way in which the picture is to be turned; 1 is as it is. */
  readonly orientation: number;
}

/** The program that files of this toolkit name. */
export const SOFTWARE = "NewBie toolkit";

/** The keyword of the text that goes where AUTOMATIC1111's web UI has it: into EXIF's comment. */
export const COMMENT = "parameters";

const ORIENTATION = 0x0112;
const EXIF_IFD = 0x8769;
const USER_COMMENT = 0x9286;
const SOFTWARE_TAG = 0x0131;
const UNDEFINED = 7;
const ASCII = 2;
const LONG = 4;

/** Tags whose value is a text. */
const TEXT_TAGS: Readonly<Record<number, string>> = {
  0x010e: "ImageDescription",
  0x010f: "Make",
  0x0110: "Model",
  [SOFTWARE_TAG]: "Software",
  0x9c9c: "XPComment",
  [USER_COMMENT]: "UserComment",
};
const XP_COMMENT = 0x9c9c;

/** Bytes a value by TIFF's number of its type; ASCII, and bytes of no known meaning, among them. */
const TYPE_BYTES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 7: 1 };

const ENTRY_BYTES = 12;
const HEADER_BYTES = 8;
/** How many entries of a directory are looked at. */
const MOST_ENTRIES = 512;

/** Reads what can be read; damage ends the reading. */
export function readExif(tiff: Uint8Array): Exif {
  const reader = new Directory(tiff);
  const texts: Record<string, string> = {};
  let orientation = 1;
  for (const { tag, value } of reader.entries(reader.first)) {
    if (tag === ORIENTATION) orientation = reader.number(value) ?? 1;
    else if (tag === EXIF_IFD) {
      for (const inner of reader.entries(reader.number(value) ?? 0)) addText(inner, texts, reader);
    } else addText({ tag, value }, texts, reader);
  }
  return { texts, orientation: orientation >= 1 && orientation <= 8 ? orientation : 1 };
}

interface Entry {
  readonly tag: number;
  readonly value: Uint8Array;
}

function addText(
  { tag, value }: Entry,
  texts: Record<string, string>,
  { isLittleEndian }: Directory,
) {
  const name = TEXT_TAGS[tag];
  // The first counts: a thousand entries may point at the same megabytes.
  if (name === undefined || Object.hasOwn(texts, name)) return;
  texts[name] = tag === USER_COMMENT
    ? comment(value, isLittleEndian)
    : tag === XP_COMMENT
    ? untilZero(new TextDecoder("utf-16le").decode(value))
    : untilZero(utf8OrLatin1(value));
}

/** A TIFF's directories. */
class Directory {
  readonly isLittleEndian: boolean;
  readonly first: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.isLittleEndian = startsWith(bytes, "II");
    const isTiff = bytes.length >= HEADER_BYTES && (this.isLittleEndian || startsWith(bytes, "MM"));
    this.first = isTiff ? this.#view.getUint32(4, this.isLittleEndian) : 0;
  }

  /** The entries of a directory, up to the first that leads out of the bytes. */
  *entries(at: number): Generator<Entry> {
    if (at < HEADER_BYTES || at + 2 > this.#bytes.length) return;
    const count = Math.min(this.#view.getUint16(at, this.isLittleEndian), MOST_ENTRIES);
    for (let index = 0; index < count; index++) {
      const start = at + 2 + ENTRY_BYTES * index;
      if (start + ENTRY_BYTES > this.#bytes.length) return;
      const tag = this.#view.getUint16(start, this.isLittleEndian);
      const type = this.#view.getUint16(start + 2, this.isLittleEndian);
      const length = this.#view.getUint32(start + 4, this.isLittleEndian) * (TYPE_BYTES[type] ?? 0);
      const from = length <= 4 ? start + 8 : this.#view.getUint32(start + 8, this.isLittleEndian);
      if (length === 0 || from + length > this.#bytes.length) continue;
      yield { tag, value: this.#bytes.subarray(from, from + length) };
    }
  }

  /** One number of two or four bytes. */
  number(value: Uint8Array): number | undefined {
    if (value.length === 2) return viewOf(value).getUint16(0, this.isLittleEndian);
    return value.length === 4 ? viewOf(value).getUint32(0, this.isLittleEndian) : undefined;
  }
}

const CODE_BYTES = 8;

/** A UserComment: eight bytes that name the encoding, then the text. */
function comment(value: Uint8Array, isLittleEndian: boolean): string {
  const text = value.subarray(CODE_BYTES);
  if (startsWith(value, "UNICODE\0")) return untilZero(utf16(text, isLittleEndian));
  if (startsWith(value, "ASCII\0") || startsWith(value, "\0\0\0\0")) {
    return untilZero(utf8OrLatin1(text));
  }
  return untilZero(utf8OrLatin1(value));
}

/**
 * UTF-16 in the order that the bytes show: programs write the one of the file, or always the same.
 * Nearly every text has characters below U+0100, and their high byte is zero.
 */
function utf16(bytes: Uint8Array, isLittleEndian: boolean): string {
  const zeros = [0, 0];
  for (let index = 0; index < bytes.length; index++) {
    if (bytes[index] === 0) zeros[index % 2]!++;
  }
  const [even, odd] = zeros as [number, number];
  const isLittle = even === odd ? isLittleEndian : odd > even;
  return new TextDecoder(isLittle ? "utf-16le" : "utf-16be").decode(bytes);
}

function utf8OrLatin1(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return fromLatin1(bytes);
  }
}

function untilZero(text: string): string {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** EXIF with a comment in UTF-16, the highest byte first, as AUTOMATIC1111's web UI writes it. */
export function writeExif(userComment: string): Uint8Array {
  const text = new Uint8Array(2 * userComment.length);
  const view = viewOf(text);
  for (let index = 0; index < userComment.length; index++) {
    view.setUint16(2 * index, userComment.charCodeAt(index));
  }
  const value = concat([latin1Bytes("UNICODE\0"), text]);
  const software = latin1Bytes(`${SOFTWARE}\0`);
  const main = HEADER_BYTES;
  const inner = main + directoryBytes(2);
  const comment = inner + directoryBytes(1);
  return concat([
    latin1Bytes("MM\0*"),
    bigEndian(main, 4),
    directory([
      [SOFTWARE_TAG, ASCII, software.length, comment + value.length],
      [EXIF_IFD, LONG, 1, inner],
    ]),
    directory([[USER_COMMENT, UNDEFINED, value.length, comment]]),
    value,
    software,
  ]);
}

const directoryBytes = (entries: number) => 2 + ENTRY_BYTES * entries + 4;

function directory(
  entries: readonly (readonly [tag: number, type: number, count: number, value: number])[],
): Uint8Array {
  return concat([
    bigEndian(entries.length, 2),
    ...entries.flatMap(([tag, type, count, value]) => [
      bigEndian(tag, 2),
      bigEndian(type, 2),
      bigEndian(count, 4),
      bigEndian(value, 4),
    ]),
    bigEndian(0, 4),
  ]);
}
