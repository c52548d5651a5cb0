import { refusal } from "./_refusal.ts";
import type { Say } from "./_texts.ts";

/** Where bytes come from: `read` fills `into` from a place of the file and says how many it got. */
export interface ByteSource {
  readonly size: number;
  readonly read: (place: number, into: Uint8Array) => number;
}

/** The header of a model with a large vocabulary has some ten megabytes. */
const LONGEST_HEADER = 200_000_000;
const WINDOW_BYTES = 1 << 16;
const NO_BYTES = new Uint8Array();

/** Walks through a file's header; nothing is held of it but a window. */
export class Cursor {
  /** How lengths and counts are written: of old in 32 bits. */
  longCounts = true;
  readonly #source: ByteSource;
  readonly #name: string;
  #window: Uint8Array = NO_BYTES;
  #view = new DataView(new ArrayBuffer(0));
  #windowStart = 0;
  #position = 0;

  constructor(source: ByteSource, name: string) {
    this.#source = source;
    this.#name = name;
  }

  get position(): number {
    return this.#position;
  }

  /** How many bytes of the file follow. */
  get rest(): number {
    return this.#source.size - this.#position;
  }

  uint8(what: Say): number {
    return this.#at(1, what, (view, at) => view.getUint8(at));
  }

  int8(what: Say): number {
    return this.#at(1, what, (view, at) => view.getInt8(at));
  }

  uint16(what: Say): number {
    return this.#at(2, what, (view, at) => view.getUint16(at, true));
  }

  int16(what: Say): number {
    return this.#at(2, what, (view, at) => view.getInt16(at, true));
  }

  uint32(what: Say): number {
    return this.#at(4, what, (view, at) => view.getUint32(at, true));
  }

  int32(what: Say): number {
    return this.#at(4, what, (view, at) => view.getInt32(at, true));
  }

  uint64(what: Say): bigint {
    return this.#at(8, what, (view, at) => view.getBigUint64(at, true));
  }

  int64(what: Say): bigint {
    return this.#at(8, what, (view, at) => view.getBigInt64(at, true));
  }

  float32(what: Say): number {
    return this.#at(4, what, (view, at) => view.getFloat32(at, true));
  }

  float64(what: Say): number {
    return this.#at(8, what, (view, at) => view.getFloat64(at, true));
  }

  /** A length or a count. */
  count(what: Say): bigint {
    return this.longCounts ? this.uint64(what) : BigInt(this.uint32(what));
  }

  /** So many bytes, which the caller found to be there. */
  bytes(length: number, what: Say): Uint8Array {
    if (length <= WINDOW_BYTES) {
      const start = this.#take(length, what);
      return this.#window.subarray(start, start + length);
    }
    const bytes = new Uint8Array(length);
    this.#fill(bytes, what);
    this.#position += length;
    this.#checkLength();
    return bytes;
  }

  /** Goes over so many bytes, which the caller found to be there. */
  skip(length: number): void {
    this.#position += length;
    this.#checkLength();
  }

  /** A number of so many bytes; which window holds it is known only when it was looked for. */
  #at<T>(length: number, what: Say, read: (view: DataView, at: number) => T): T {
    const at = this.#take(length, what);
    return read(this.#view, at);
  }

  /** Where so many bytes stand in the window. */
  #take(length: number, what: Say): number {
    const start = this.#position - this.#windowStart;
    if (start >= 0 && start + length <= this.#window.length) {
      this.#position += length;
      return start;
    }
    if (length > this.rest) {
      throw refusal(this.#name, (text) => text.cutShort(this.#source.size, what(text)));
    }
    const window = new Uint8Array(Math.min(WINDOW_BYTES, this.rest));
    this.#fill(window, what);
    this.#window = window;
    this.#view = new DataView(window.buffer);
    this.#windowStart = this.#position;
    this.#position += length;
    this.#checkLength();
    return 0;
  }

  #fill(bytes: Uint8Array, what: Say): void {
    for (let filled = 0; filled < bytes.length;) {
      const count = this.#source.read(this.#position + filled, bytes.subarray(filled));
      if (count === 0) {
        throw refusal(this.#name, (text) => text.cutShort(this.#position + filled, what(text)));
      }
      filled += count;
    }
  }

  #checkLength(): void {
    if (this.#position <= LONGEST_HEADER) return;
    throw refusal(this.#name, (text) => text.headerTooLong(LONGEST_HEADER));
  }
}
