/**
 * PNG's text chunks, which fast-png writes for Latin-1 only and reads in one of three forms.
 *
 * Form: https://www.w3.org/TR/png-3/#11textinfo
 *
 * @module
 */

import { crc32, inflateSync } from "node:zlib";

const SIGNATURE_BYTES = 8;
/** Length and type before a chunk's data. */
const CHUNK_HEAD_BYTES = 8;
const CRC_BYTES = 4;
const HEADER_CHUNK_BYTES = 13;

/** Where the header chunk, which must come first, has ended. */
const AFTER_HEADER = SIGNATURE_BYTES + CHUNK_HEAD_BYTES + HEADER_CHUNK_BYTES + CRC_BYTES;

/** What a compressed text may grow to. */
const MAX_TEXT_BYTES = 1 << 24;

/** One to 79 printable Latin-1 characters, without spaces at the ends or two in a row. */
const KEYWORD = /^(?=.{1,79}$)[!-~\xa1-\xff]+(?: [!-~\xa1-\xff]+)*$/;

/** What tEXt may hold: printable Latin-1 and line feeds. */
const LATIN1_TEXT = /^[\n\x20-\x7e\xa0-\xff]*$/;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

const latin1Bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Not TextDecoder's "latin1", which is windows-1252. */
const fromLatin1 = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const typed = concat([latin1Bytes(type), data]);
  const length = new Uint8Array(4);
  const checksum = new Uint8Array(CRC_BYTES);
  new DataView(length.buffer).setUint32(0, data.length);
  new DataView(checksum.buffer).setUint32(0, crc32(typed));
  return concat([length, typed, checksum]);
}

/** tEXt where Latin-1 is enough, which every reader knows, else uncompressed iTXt. */
function textChunk(keyword: string, text: string): Uint8Array {
  if (!KEYWORD.test(keyword)) {
    throw new RangeError(
      `${JSON.stringify(keyword)} cannot be a PNG keyword: expected 1 to 79 printable Latin-1 ` +
        `characters without leading, trailing or repeated spaces.`,
    );
  }
  if (text.includes("\0")) {
    throw new RangeError(`The PNG text ${JSON.stringify(keyword)} holds U+0000: remove it.`);
  }
  const key = latin1Bytes(keyword);
  if (LATIN1_TEXT.test(text)) {
    return chunk("tEXt", concat([key, Uint8Array.of(0), latin1Bytes(text)]));
  }
  // After the keyword: its end, no compression, method 0, no language, no translated keyword.
  return chunk("iTXt", concat([key, Uint8Array.of(0, 0, 0, 0, 0), utf8.encode(text)]));
}

/**
 * Adds text behind a PNG's header, so that it can be read without reading the picture.
 *
 * @throws {RangeError} When a keyword breaks PNG's rules or a text holds U+0000.
 */
export function insertText(png: Uint8Array, text: Readonly<Record<string, string>>): Uint8Array {
  const chunks = Object.entries(text).map(([keyword, value]) => textChunk(keyword, value));
  return concat([png.subarray(0, AFTER_HEADER), ...chunks, png.subarray(AFTER_HEADER)]);
}

/** All text of a PNG that is known to be sound; of equal keywords the last counts. */
export function readText(png: Uint8Array): Record<string, string> {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const entries: [string, string][] = [];
  let offset = SIGNATURE_BYTES;
  while (offset + CHUNK_HEAD_BYTES <= png.length) {
    const length = view.getUint32(offset);
    const start = offset + CHUNK_HEAD_BYTES;
    const type = fromLatin1(png.subarray(offset + 4, start));
    const read = READERS[type];
    if (read !== undefined) {
      entries.push(read(new FieldReader(png.subarray(start, start + length))));
    }
    offset = start + length + CRC_BYTES;
  }
  return Object.fromEntries(entries);
}

/** Takes a text chunk apart from front to back. */
class FieldReader {
  #rest: Uint8Array;

  constructor(data: Uint8Array) {
    this.#rest = data;
  }

  byte(): number {
    const byte = this.#rest[0] ?? 0;
    this.#rest = this.#rest.subarray(1);
    return byte;
  }

  /** The bytes before the next zero byte. */
  field(): Uint8Array {
    const end = this.#rest.indexOf(0);
    if (end < 0) throw new RangeError("a text chunk is cut short");
    const field = this.#rest.subarray(0, end);
    this.#rest = this.#rest.subarray(end + 1);
    return field;
  }

  rest(): Uint8Array {
    return this.#rest;
  }

  inflatedRest(): Uint8Array {
    return inflateSync(this.#rest, { maxOutputLength: MAX_TEXT_BYTES });
  }
}

const READERS: Readonly<Record<string, (fields: FieldReader) => [string, string]>> = {
  tEXt: (fields) => [fromLatin1(fields.field()), fromLatin1(fields.rest())],
  zTXt: (fields) => {
    const keyword = fromLatin1(fields.field());
    fields.byte(); // The compression method; PNG knows one.
    return [keyword, fromLatin1(fields.inflatedRest())];
  },
  iTXt: (fields) => {
    const keyword = fromLatin1(fields.field());
    const compressed = fields.byte() !== 0;
    fields.byte(); // The compression method; PNG knows one.
    fields.field(); // The language.
    fields.field(); // The translated keyword.
    return [keyword, fromUtf8.decode(compressed ? fields.inflatedRest() : fields.rest())];
  },
};
