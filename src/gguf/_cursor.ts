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
    return this.#view.getUint8(this.#take(1, what));
  }

  int8(what: Say): number {
    return this.#view.getInt8(this.#take(1, what));
  }

  uint16(what: Say): number {
    return this.#view.getUint16(this.#take(2, what), true);
  }

  int16(what: Say): number {
    return this.#view.getInt16(this.#take(2, what), true);
  }

  uint32(what: Say): number {
    return this.#view.getUint32(this.#take(4, what), true);
  }

  int32(what: Say): number {
    return this.#view.getInt32(this.#take(4, what), true);
  }

  uint64(what: Say): bigint {
    return this.#view.getBigUint64(this.#take(8, what), true);
  }

  int64(what: Say): bigint {
    return this.#view.getBigInt64(this.#take(8, what), true);
  }

  float32(what: Say): number {
    return this.#view.getFloat32(this.#take(4, what), true);
  }

  float64(what: Say): number {
    return this.#view.getFloat64(this.#take(8, what), true);
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
