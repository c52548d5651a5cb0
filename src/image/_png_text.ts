/**
 * PNG's text chunks in their three forms.
 *
 * Form: https://www.w3.org/TR/png-3/#11textinfo
 *
 * @module
 */

import { inflateSync } from "node:zlib";
import { concat, fromLatin1, latin1Bytes } from "./_bytes.ts";
import { type Chunk, chunk } from "./_png_chunk.ts";
import { MAX_TEXT_BYTES } from "./types.ts";

/** One to 79 printable Latin-1 characters, without spaces at the ends or two in a row. */
const KEYWORD = /^(?=.{1,79}$)[!-~\xa1-\xff]+(?: [!-~\xa1-\xff]+)*$/;

/** What tEXt may hold: printable Latin-1 and line feeds. */
const LATIN1_TEXT = /^[\n\x20-\x7e\xa0-\xff]*$/;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictUtf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * The text of bytes that should be Latin-1. Programs that do not care, such as stable-diffusion.cpp, write
 * UTF-8: what can be read so is meant so, since as Latin-1 it would be letters such as `å` before signs.
 */
function fromLatin1OrUtf8(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return fromLatin1(bytes);
  }
}

/** tEXt where Latin-1 is enough, which every reader knows, and cannot be mistaken; else uncompressed iTXt. */
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
  const bytes = LATIN1_TEXT.test(text) ? latin1Bytes(text) : undefined;
  if (bytes !== undefined && fromLatin1OrUtf8(bytes) === text) {
    return chunk("tEXt", concat([key, Uint8Array.of(0), bytes]));
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

/** The texts of a file, as far as they can be read. */
export interface Texts {
  readonly text: Readonly<Record<string, string>>;
  /** Keywords of those that cannot be read. */
  readonly unread: readonly string[];
}

/**
 * All text in a PNG's chunks; of equal keywords the last that can be read counts. One that is damaged
 * leaves the others as they are. Texts that are not compressed are read first, so that none of them
 * falls to the bound on what the others unpack to.
 */
export function textOf(chunks: readonly Chunk[]): Texts {
  const budget = new Budget();
  const found = chunks.flatMap((chunk, place) => {
    const read = READERS[chunk.type];
    return read === undefined ? [] : [{ place, ...readText(chunk, read) }];
  });
  const entries = found
    .sort((a, b) => Number(a.isPacked) - Number(b.isPacked))
    .map(({ place, keyword, value }) => ({ place, keyword, value: value(budget) }))
    .sort((a, b) => a.place - b.place);
  const text = new Map<string, string>();
  for (const { keyword, value } of entries) {
    if (value !== undefined) text.set(keyword, value);
  }
  const unread = entries.filter(({ keyword }) => !text.has(keyword)).map(({ keyword }) => keyword);
  return { text: Object.fromEntries(text), unread: [...new Set(unread)] };
}

interface Found {
  readonly keyword: string;
  readonly isPacked: boolean;
  /** The text, or nothing when it is damaged or beyond the bound. */
  readonly value: (budget: Budget) => string | undefined;
}

function readText({ data, isSound }: Chunk, read: (fields: FieldReader) => Found): Found {
  try {
    const found = read(new FieldReader(data));
    return isSound ? found : { ...found, value: () => undefined };
  } catch {
    // Without a keyword nobody can ask for it.
    return { keyword: "", isPacked: false, value: () => undefined };
  }
}

/** The bound on the bytes of all texts together. */
class Budget {
  #left = MAX_TEXT_BYTES;

  /** Takes what a text needs, if it is there. */
  take(bytes: Uint8Array): Uint8Array | undefined {
    if (bytes.length > this.#left) return undefined;
    this.#left -= bytes.length;
    return bytes;
  }

  inflate(packed: Uint8Array): Uint8Array | undefined {
    if (this.#left === 0) return undefined;
    try {
      return this.take(inflateSync(packed, { maxOutputLength: this.#left }));
    } catch (error) {
      // What was unpacked before the bound was met has cost its time.
      if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") this.#left = 0;
      return undefined;
    }
  }
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

  /** Its keyword: what is longer than PNG allows is none. */
  keyword(): string {
    const field = this.field();
    if (field.length > LONGEST_KEYWORD) throw new RangeError("no keyword");
    return fromLatin1(field);
  }

  /** All that is left, as a text. */
  rest(isPacked: boolean, decode: (bytes: Uint8Array) => string): Found["value"] {
    const rest = this.#rest;
    return (budget) => {
      const bytes = isPacked ? budget.inflate(rest) : budget.take(rest);
      return bytes === undefined ? undefined : decode(bytes);
    };
  }
}

const LONGEST_KEYWORD = 79;

const READERS: Readonly<Record<string, (fields: FieldReader) => Found>> = {
  tEXt: (fields) => ({
    keyword: fields.keyword(),
    isPacked: false,
    value: fields.rest(false, fromLatin1OrUtf8),
  }),
  zTXt: (fields) => {
    const keyword = fields.keyword();
    fields.byte(); // The compression method; PNG knows one.
    return { keyword, isPacked: true, value: fields.rest(true, fromLatin1OrUtf8) };
  },
  iTXt: (fields) => {
    const keyword = fields.keyword();
    const isPacked = fields.byte() !== 0;
    fields.byte(); // The compression method; PNG knows one.
    fields.field(); // The language.
    fields.field(); // The translated keyword.
    return { keyword, isPacked, value: fields.rest(isPacked, (bytes) => fromUtf8.decode(bytes)) };
  },
};
