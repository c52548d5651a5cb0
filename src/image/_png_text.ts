/**
 * PNG's text chunks in their three forms.
 *
 * Form: https://www.w3.org/TR/png-3/#11textinfo
 *
 * @module
 */

import { inflateSync } from "node:zlib";
import { type Chunk, chunk, concat, fromLatin1, latin1Bytes } from "./_png_chunk.ts";

/** What a compressed text may grow to. */
const MAX_TEXT_BYTES = 1 << 24;

/** One to 79 printable Latin-1 characters, without spaces at the ends or two in a row. */
const KEYWORD = /^(?=.{1,79}$)[!-~\xa1-\xff]+(?: [!-~\xa1-\xff]+)*$/;

/** What tEXt may hold: printable Latin-1 and line feeds. */
const LATIN1_TEXT = /^[\n\x20-\x7e\xa0-\xff]*$/;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

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
 * The chunks of texts by keyword.
 *
 * @throws {RangeError} When a keyword breaks PNG's rules or a text holds U+0000.
 */
export function textChunks(text: Readonly<Record<string, string>>): Uint8Array[] {
  return Object.entries(text).map(([keyword, value]) => textChunk(keyword, value));
}

/** All text in a PNG's chunks; of equal keywords the last counts. */
export function textOf(chunks: readonly Chunk[]): Record<string, string> {
  const entries = chunks.flatMap(({ type, data }) => {
    const read = READERS[type];
    return read === undefined ? [] : [read(new FieldReader(data))];
  });
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
