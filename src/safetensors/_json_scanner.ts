/**
 * A JSON reader for input that may be hostile. It walks over the bytes once and builds nothing but
 * the strings and integers it is asked for, so that the caller decides what may be nested, sees
 * every key as it comes (`JSON.parse` keeps the last of two equal keys and says nothing) and knows
 * the byte at which something is wrong.
 *
 * @module
 */
import type { Say } from "./_texts.ts";

const QUOTE = 0x22;
const MINUS = 0x2d;
const DOT = 0x2e;
const DIGIT_ZERO = 0x30;
const DIGIT_NINE = 0x39;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const FIRST_BEYOND_ASCII = 0x80;

/** Refuses what is not UTF-8; keeps a byte order mark, a character of a name like any other. */
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** How deep values that nobody reads may be nested. */
const DEEPEST_SKIP = 64;

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;

/** Makes the error for a problem found at this byte. */
export type Complain = (problem: Say, at: number) => Error;

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number | undefined): byte is number {
  return byte !== undefined && byte >= DIGIT_ZERO && byte <= DIGIT_NINE;
}

export class JsonScanner {
  #at = 0;
  readonly #bytes: Uint8Array;
  readonly #complain: Complain;

  constructor(bytes: Uint8Array, complain: Complain) {
    this.#bytes = bytes;
    this.#complain = complain;
  }

  /** Where the next value, or what stands in its place, begins. */
  get at(): number {
    this.#skipSpace();
    return this.#at;
  }

  /** Whether the next value begins with this character. */
  startsWith(character: string): boolean {
    this.#skipSpace();
    return this.#bytes[this.#at] === character.charCodeAt(0);
  }

  /** Walks over an object; `onMember` must consume the value. */
  object(what: Say, onMember: (key: string, at: number) => void): void {
    this.#expect("{", what);
    if (this.#take("}")) return;
    do {
      const at = this.at;
      const key = this.string((text) => text.nameInQuotes);
      this.#expect(":", (text) => text.colon);
      onMember(key, at);
    } while (this.#take(","));
    this.#expect("}", (text) => text.commaOrBrace);
  }

  /** Walks over an array; `onElement` must consume the value. */
  array(what: Say, onElement: () => void): void {
    this.#expect("[", what);
    if (this.#take("]")) return;
    do {
      onElement();
    } while (this.#take(","));
    this.#expect("]", (text) => text.commaOrBracket);
  }

  /** Reads a string, its escapes resolved. */
  string(what: Say): string {
    this.#expect('"', what);
    const bytes = this.#bytes;
    const start = this.#at;
    let end = start;
    let escaped = false;
    for (;; end++) {
      const byte = bytes[end];
      if (byte === undefined) throw this.#complain((text) => text.unclosedString, start - 1);
      if (byte === QUOTE) break;
      if (byte < FIRST_PRINTABLE) {
        throw this.#complain((text) => text.controlCharacter, end);
      }
      if (byte === BACKSLASH) {
        escaped = true;
        end++;
      }
    }
    this.#at = end + 1;
    let text: string;
    try {
      text = UTF8.decode(bytes.subarray(start, end));
    } catch {
      throw this.#complain((text) => text.notUtf8, start - 1);
    }
    if (!escaped) return text;
    try {
      text = JSON.parse(`"${text}"`) as string;
    } catch {
      throw this.#complain((text) => text.unknownEscape, start - 1);
    }
    if (!text.isWellFormed()) {
      throw this.#complain((text) => text.halfSurrogate, start - 1);
    }
    return text;
  }

  /** Reads an integer from 0 to 2^53 − 1. */
  integer(what: Say): number {
    const start = this.at;
    const bytes = this.#bytes;
    if (bytes[start] === MINUS) {
      throw this.#complain((text) => text.negative(what(text)), start);
    }
    if (!isDigit(bytes[start])) throw this.#unexpected(what);
    let value = 0;
    let at = start;
    for (let byte = bytes[at]; isDigit(byte); byte = bytes[++at]) {
      value = value * 10 + (byte - DIGIT_ZERO);
    }
    if (bytes[start] === DIGIT_ZERO && at - start > 1) {
      throw this.#complain((text) => text.leadingZero(what(text)), start);
    }
    if (bytes[at] === DOT || bytes[at] === 0x65 || bytes[at] === 0x45) {
      throw this.#complain((text) => text.notAnInteger(what(text)), start);
    }
    if (!Number.isSafeInteger(value)) {
      throw this.#complain((text) => text.tooLarge(what(text)), start);
    }
    this.#at = at;
    return value;
  }

  /** Walks over a value of any kind without keeping it. */
  skip(depth = 0): void {
    if (depth > DEEPEST_SKIP) {
      throw this.#complain((text) => text.tooDeep(DEEPEST_SKIP), this.#at);
    }
    if (this.startsWith("{")) {
      return this.object((text) => text.anObject, () => this.skip(depth + 1));
    }
    if (this.startsWith("[")) return this.array((text) => text.anArray, () => this.skip(depth + 1));
    if (this.startsWith('"')) return void this.string((text) => text.aString);
    const start = this.#at;
    let end = start;
    for (let byte = this.#bytes[end]; byte !== undefined; byte = this.#bytes[++end]) {
      // A number or a word ends where white space or punctuation begins.
      if (byte <= FIRST_PRINTABLE || byte === 0x2c || byte === 0x5d || byte === 0x7d) break;
    }
    const word = new TextDecoder().decode(this.#bytes.subarray(start, end));
    if (!["true", "false", "null"].includes(word) && !JSON_NUMBER.test(word)) {
      throw this.#unexpected((text) => text.aValue);
    }
    this.#at = end;
  }

  /** Requires that nothing but white space is left. */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.#bytes.length) throw this.#unexpected((text) => text.nothingMore);
  }

  #skipSpace(): void {
    while (isSpace(this.#bytes[this.#at])) this.#at++;
  }

  #take(character: string): boolean {
    if (!this.startsWith(character)) return false;
    this.#at++;
    return true;
  }

  #expect(character: string, what: Say): void {
    if (!this.#take(character)) throw this.#unexpected(what);
  }

  #unexpected(expected: Say): Error {
    const byte = this.#bytes[this.#at];
    const found: Say = (text) =>
      byte === undefined
        ? text.theEnd
        : byte > FIRST_PRINTABLE && byte < FIRST_BEYOND_ASCII
        ? text.character(String.fromCharCode(byte))
        : text.theByte(byte.toString(16).padStart(2, "0"));
    return this.#complain((text) => text.expected(expected(text), found(text)), this.#at);
  }
}
